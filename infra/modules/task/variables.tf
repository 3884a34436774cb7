variable "name" {
  description = "Name of the task, its cluster, its roles and its log group."
  type        = string
}

variable "region" {
  description = "AWS region."
  type        = string
}

variable "image" {
  description = "The platform's image in Amazon ECR."
  type        = string
}

variable "command" {
  description = "The image's command, which is also the container's name."
  type        = string
}

variable "cpu" {
  description = "Processors, in 1,024ths."
  type        = number
}

variable "memory_mb" {
  description = "Memory, in MB."
  type        = number
}

variable "disk_gb" {
  description = "Size of its disk, in GB; null: the 20 that each task has."
  type        = number
  default     = null
}

variable "ports" {
  description = "Ports that it listens on."
  type        = list(number)
  default     = []
}

variable "environment" {
  description = "Environment variables; none of them is a secret."
  type        = map(string)
}

variable "secrets" {
  description = "ARNs of the secrets, by the environment variable that gets the value."
  type        = map(string)
}

variable "statements" {
  description = "What the code may do."
  type = list(object({
    actions   = list(string)
    resources = list(string)
  }))
}
