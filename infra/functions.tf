locals {
  package = jsondecode(file("${var.package_dir}/package.json"))

  read_objects  = ["s3:GetObject"]
  write_objects = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]
  # In nearly every batch transform removes a file of its own that has no rows:
  # DuckDB writes it before that is known.
  transform_objects = concat(local.write_objects, ["s3:DeleteObject"])

  # The dashboard is optional.
  functions = { for name, function in local.all_functions : name => function if name != "dashboard" || var.dashboard }

  # The differences between the functions. None deletes in the ingestion zone;
  # load only reads the zones, and the dashboard only queries the warehouse.
  all_functions = {
    extract = {
      memory_mb    = 512
      timeout_s    = 600
      temporary_mb = 512
      layers       = ["deno"]
      secrets      = ["source"]
      objects      = { ingestion = local.write_objects }
    }
    transform = {
      memory_mb    = 2048
      timeout_s    = 600
      temporary_mb = 2048
      layers       = ["deno", "duckdb"]
      secrets      = keys(local.rest_secrets)
      objects = {
        ingestion = local.read_objects
        processed = local.transform_objects
      }
    }
    load = {
      memory_mb    = 2048
      timeout_s    = 900
      temporary_mb = 2048
      layers       = ["deno", "duckdb"]
      secrets      = ["warehouse"]
      objects      = { processed = local.read_objects }
    }
    verify = {
      memory_mb    = 3008
      timeout_s    = 900
      temporary_mb = 10240
      layers       = ["deno", "duckdb"]
      secrets      = ["source", "warehouse"]
      objects = {
        ingestion = local.write_objects
        processed = local.transform_objects
      }
    }
    sweep = {
      memory_mb    = 512
      timeout_s    = 900
      temporary_mb = 512
      layers       = ["deno"]
      secrets      = []
      objects = {
        processed = ["s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
      }
      bucket_actions = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
    }
    dashboard = {
      memory_mb    = 512
      timeout_s    = 60
      temporary_mb = 512
      # Its URL is public: a flood of requests must leave the rest of the
      # account's concurrency to the pipeline, and the warehouse its connections.
      concurrency = 5
      layers      = ["deno"]
      secrets     = ["analyst", "dashboard"]
      objects     = {}
    }
  }

  metrics_namespace = local.name
  secret_variables = {
    source    = "SOURCE_SECRET_ID"
    warehouse = "WAREHOUSE_SECRET_ID"
    analyst   = "ANALYST_SECRET_ID"
    dashboard = "DASHBOARD_SECRET_ID"
    iceberg   = "ICEBERG_SECRET_ID"
  }
}

# Each package is a new version under the same key: the old ones stay until the
# bucket's lifecycle removes them.
resource "aws_s3_object" "package" {
  for_each = local.package.parts

  bucket      = local.buckets.artefacts.id
  key         = each.value.file
  source      = "${var.package_dir}/${each.value.file}"
  source_hash = each.value.sha256

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_lambda_layer_version" "this" {
  for_each = toset(["deno", "duckdb"])

  layer_name               = "${local.name}-${each.key}"
  s3_bucket                = aws_s3_object.package[each.key].bucket
  s3_key                   = aws_s3_object.package[each.key].key
  s3_object_version        = aws_s3_object.package[each.key].version_id
  source_code_hash         = local.package.parts[each.key].sha256
  compatible_architectures = [local.package.architecture]
  compatible_runtimes      = ["provided.al2023"]

  # Functions use the old layer until they have the new one.
  lifecycle {
    create_before_destroy = true
  }
}

data "aws_iam_policy_document" "function_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "function" {
  for_each = local.functions

  name                 = "${local.name}-${each.key}"
  assume_role_policy   = data.aws_iam_policy_document.function_trust.json
  permissions_boundary = aws_iam_policy.boundary.arn
}

module "function" {
  for_each = local.functions
  source   = "./modules/function"

  name          = "${local.name}-${each.key}"
  role          = aws_iam_role.function[each.key]
  handler       = each.key
  architecture  = local.package.architecture
  memory_mb     = coalesce(try(var.functions[each.key].memory_mb, null), each.value.memory_mb)
  timeout_s     = coalesce(try(var.functions[each.key].timeout_s, null), each.value.timeout_s)
  temporary_mb  = coalesce(try(var.functions[each.key].temporary_mb, null), each.value.temporary_mb)
  concurrency   = coalesce(try(var.functions[each.key].concurrency, null), try(each.value.concurrency, -1))
  layers        = [for layer in each.value.layers : aws_lambda_layer_version.this[layer].arn]
  package       = aws_s3_object.package[each.key]
  log_retention = var.log_retention_days

  environment = merge(
    var.settings,
    {
      INGESTION_URL     = "s3://${local.buckets.ingestion.id}"
      PROCESSED_URL     = "s3://${local.buckets.processed.id}"
      METRICS_NAMESPACE = local.metrics_namespace
    },
    each.key == "transform" ? merge(concat(local.athena_settings, local.glue_settings, local.rest_settings)...) : {},
    { for secret in each.value.secrets : local.secret_variables[secret] => aws_secretsmanager_secret.settings[secret].arn },
  )

  buckets = {
    for name, actions in each.value.objects : name => {
      arn     = local.buckets[name].arn
      actions = actions
      # Without s3:ListBucket a key that is missing is refused, not missing.
      bucket_actions = try(each.value.bucket_actions, ["s3:ListBucket"])
    }
  }
  secrets    = [for secret in each.value.secrets : aws_secretsmanager_secret.settings[secret].arn]
  statements = each.key == "transform" ? concat(local.athena_statements, local.lake_table_statements) : []

  network = var.vpc == null ? null : {
    subnet_ids         = var.vpc.subnet_ids
    security_group_ids = [aws_security_group.functions["this"].id]
  }
}

moved {
  from = module.function["extract"].aws_iam_role.this
  to   = aws_iam_role.function["extract"]
}

moved {
  from = module.function["transform"].aws_iam_role.this
  to   = aws_iam_role.function["transform"]
}

moved {
  from = module.function["load"].aws_iam_role.this
  to   = aws_iam_role.function["load"]
}

moved {
  from = module.function["verify"].aws_iam_role.this
  to   = aws_iam_role.function["verify"]
}

moved {
  from = module.function["sweep"].aws_iam_role.this
  to   = aws_iam_role.function["sweep"]
}

moved {
  from = module.function["dashboard"].aws_iam_role.this
  to   = aws_iam_role.function["dashboard"]
}
