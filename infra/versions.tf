terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "6.25.0"
    }
  }

  # environments/<name>.tfbackend sets bucket, key and region.
  backend "s3" {
    use_lockfile = true
    encrypt      = true
  }
}
