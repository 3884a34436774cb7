# The platform as a module of your own configuration: in a network without a way
# out, with its warehouse in Amazon RDS. Elsewhere, name a version:
# source = "git::https://github.com/OWNER/NAME.git//infra?ref=v1.0.0"
terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "6.25.0"
    }
  }
}

provider "aws" {
  region = var.region
}

variable "region" {
  description = "AWS region."
  type        = string
}

variable "zones" {
  description = "Two availability zones of the region: `aws ec2 describe-availability-zones` shows the account's."
  type        = list(string)
}

variable "package_dir" {
  description = "Folder that `./totesys package` has built."
  type        = string
}

variable "emails" {
  description = "Addresses that alarms go to."
  type        = set(string)
}

module "network" {
  source = "../../modules/network"

  name  = "totesys-production"
  cidr  = "10.20.0.0/16"
  zones = var.zones
}

module "totesys" {
  source = "../.."

  environment        = "production"
  region             = var.region
  package_dir        = var.package_dir
  emails             = var.emails
  phone_numbers      = []
  monthly_budget_usd = 120

  vpc = module.network.vpc
  warehouse = {
    instance_class = "db.t4g.micro"
    storage_gb     = 20
    storage_gb_max = 100
    multi_az       = false
    reader_cidrs   = ["10.20.0.0/16"]
  }
}

output "put_secrets" {
  description = "Commands to run next."
  value       = module.totesys.put_secrets
}

output "warehouse" {
  description = "Where the warehouse is, and the secret of its administrator."
  value       = module.totesys.warehouse
}
