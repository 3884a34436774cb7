# What everything here is called: names, tags and ARNs.
locals {
  name = "totesys-${var.environment}"
  tags = {
    Project     = "totesys"
    Environment = var.environment
  }
  account = data.aws_caller_identity.current.account_id
  # ARNs of resources that are named here before they exist.
  arns = {
    boundary  = "arn:aws:iam::${local.account}:policy/${local.name}-boundary"
    artefacts = "arn:aws:s3:::${local.name}-artefacts-*"
    buckets   = "arn:aws:s3:::${local.name}-*"
    functions = "arn:aws:lambda:${var.region}:${local.account}:function:${local.name}-*"
    logs      = "arn:aws:logs:${var.region}:${local.account}:log-group:/aws/lambda/${local.name}-*"
    secrets   = "arn:aws:secretsmanager:${var.region}:${local.account}:secret:${local.name}/*"
    workgroup = "arn:aws:athena:${var.region}:${local.account}:workgroup/${local.name}"
    # The catalogue, the database and its tables.
    glue = [
      for resource in ["catalog", "database/${local.athena_database}", "table/${local.athena_database}/*"] :
      "arn:aws:glue:${var.region}:${local.account}:${resource}"
    ]
    lake_tables = [
      for resource in ["catalog", "database/${local.athena_database}_lake", "table/${local.athena_database}_lake/*"] :
      "arn:aws:glue:${var.region}:${local.account}:${resource}"
    ]
    glue_default = "arn:aws:glue:${var.region}:${local.account}:database/default"
    history = flatten([
      for name in ["ingestion", "replica"] : [
        "arn:aws:s3:::${local.name}-${name}-*",
        "arn:aws:s3:::${local.name}-${name}-*/*",
      ]
    ])
    roles = [
      for name in concat(keys(local.all_functions), ["scheduler", "replication"]) :
      "arn:aws:iam::${local.account}:role/${local.name}-${name}"
    ]
  }
}

data "aws_caller_identity" "current" {}
