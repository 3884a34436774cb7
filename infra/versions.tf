terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "6.25.0"
    }
  }

  # Bucket, key and region come from environments/<name>.tfbackend.
  backend "s3" {
    use_lockfile = true
    encrypt      = true
  }
}
