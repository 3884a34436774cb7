provider "aws" {
  region = var.region

  default_tags {
    tags = local.tags
  }
}

# Where a second copy of the ingestion bucket lies, if there is one.
provider "aws" {
  alias  = "replica"
  region = coalesce(var.replica_region, var.region)

  default_tags {
    tags = local.tags
  }
}

locals {
  name = "totesys-${var.environment}"
  tags = {
    Project     = "totesys"
    Environment = var.environment
  }
}

data "aws_caller_identity" "current" {}
