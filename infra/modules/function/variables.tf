variable "name" {
  description = "Name of the function and its log group."
  type        = string
}

variable "role" {
  description = "Its role: what it may do is added to that."
  type = object({
    name = string
    arn  = string
  })
}

variable "handler" {
  description = "Folder of the package that holds lambda.js."
  type        = string
}

variable "architecture" {
  description = "x86_64 or arm64."
  type        = string
}

variable "memory_mb" {
  description = "Memory, in MB; processors follow from it."
  type        = number
}

variable "timeout_s" {
  description = "Time of one run, in seconds."
  type        = number
}

variable "temporary_mb" {
  description = "Size of /tmp, in MB."
  type        = number
}

variable "concurrency" {
  description = "Reserved concurrent runs; -1: none are reserved."
  type        = number
}

variable "layers" {
  description = "ARNs of its layers."
  type        = list(string)
}

variable "package" {
  description = "Its zip in the bucket of artefacts."
  type = object({
    bucket      = string
    key         = string
    version_id  = string
    source_hash = string
  })
}

variable "environment" {
  description = "Environment variables; none of them is a secret."
  type        = map(string)
}

variable "buckets" {
  description = "Buckets that it uses, with what it may do to their objects and to them."
  type = map(object({
    arn            = string
    actions        = list(string)
    bucket_actions = list(string)
  }))
}

variable "secrets" {
  description = "ARNs of the secrets that it may read."
  type        = list(string)
}

variable "statements" {
  description = "What else it may do."
  type = list(object({
    actions   = list(string)
    resources = list(string)
  }))
}

variable "network" {
  description = "Subnets and security groups; null: no VPC."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
}

variable "log_retention" {
  description = "Days that its log is kept."
  type        = number
}
