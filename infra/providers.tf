provider "aws" {
  region = var.region

  default_tags {
    tags = local.tags
  }
}

# The region of the ingestion bucket's second copy, if there is one.
provider "aws" {
  alias  = "replica"
  region = coalesce(var.replica_region, var.region)

  default_tags {
    tags = local.tags
  }
}
