# Only if models of large batches run on Athena, which reads and writes the
# processed bucket, and keeps the names of a run's tables in Glue.
locals {
  athenas = var.athena == null ? {} : { this = var.athena }
  # A database's name can't have a hyphen.
  athena_database = replace(local.name, "-", "_")
  # What statements give, which a run reads once: counts and names.
  athena_results = "athena"
  athena_settings = [for athena in local.athenas : {
    TRANSFORM_ENGINE           = "athena"
    TRANSFORM_ENGINE_BYTES_MIN = tostring(athena.batch_bytes_min)
    ATHENA_WORKGROUP           = local.name
    ATHENA_DATABASE            = local.athena_database
  }]
  athena_actions = [
    "athena:GetQueryExecution",
    "athena:GetQueryResults",
    "athena:StartQueryExecution",
    "athena:StopQueryExecution",
  ]
  glue_actions = [
    "glue:CreateTable",
    "glue:DeleteTable",
    "glue:GetDatabase",
    "glue:GetPartitions",
    "glue:GetTable",
    "glue:GetTables",
    "glue:UpdateTable",
  ]
  # Athena acts with its caller's rights. It looks for the database "default",
  # whatever a statement reads:
  # https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html
  athena_statements = length(local.athenas) == 0 ? [] : [
    {
      actions   = local.athena_actions
      resources = [local.arns.workgroup]
    },
    {
      actions   = local.glue_actions
      resources = local.arns.glue
    },
    {
      actions   = ["glue:GetDatabase"]
      resources = [local.arns.glue_default]
    },
    {
      actions   = ["s3:GetBucketLocation", "s3:ListBucketMultipartUploads"]
      resources = [local.buckets.processed.arn, local.buckets.artefacts.arn]
    },
    {
      actions   = ["s3:ListMultipartUploadParts"]
      resources = ["${local.buckets.processed.arn}/*"]
    },
    {
      actions   = concat(local.write_objects, ["s3:ListMultipartUploadParts"])
      resources = ["${local.buckets.artefacts.arn}/${local.athena_results}/*"]
    },
    {
      actions   = ["s3:ListBucket"]
      resources = [local.buckets.artefacts.arn]
    },
  ]
}

resource "aws_athena_workgroup" "this" {
  for_each = local.athenas

  name          = local.name
  description   = "Models of large batches of ${local.name}"
  force_destroy = true

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = false
    bytes_scanned_cutoff_per_query     = each.value.query_bytes_max

    engine_version {
      selected_engine_version = "Athena engine version 3"
    }

    result_configuration {
      output_location = "s3://${local.buckets.artefacts.id}/${local.athena_results}/"

      encryption_configuration {
        encryption_option = "SSE_S3"
      }
    }
  }
}

# A run drops its tables, and the next one those of a run that was killed.
resource "aws_glue_catalog_database" "this" {
  for_each = local.athenas

  name        = local.athena_database
  description = "Tables of runs of ${local.name}, over files that are the processed bucket's"
}
