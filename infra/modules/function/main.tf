terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "6.25.0"
    }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention
}

locals {
  statements = concat(
    [
      {
        actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
      },
    ],
    [
      for bucket in var.buckets : {
        actions   = bucket.actions
        resources = ["${bucket.arn}/*"]
      }
    ],
    [
      for bucket in var.buckets : {
        actions   = bucket.bucket_actions
        resources = [bucket.arn]
      }
    ],
    length(var.secrets) == 0 ? [] : [
      {
        actions   = ["secretsmanager:GetSecretValue"]
        resources = var.secrets
      },
    ],
    var.statements,
  )
}

data "aws_iam_policy_document" "this" {
  dynamic "statement" {
    for_each = local.statements

    content {
      actions   = statement.value.actions
      resources = statement.value.resources
    }
  }
}

resource "aws_iam_role_policy" "this" {
  name   = "this"
  role   = var.role.name
  policy = data.aws_iam_policy_document.this.json
}

resource "aws_lambda_function" "this" {
  function_name                  = var.name
  role                           = var.role.arn
  runtime                        = "provided.al2023"
  handler                        = var.handler
  architectures                  = [var.architecture]
  memory_size                    = var.memory_mb
  timeout                        = var.timeout_s
  reserved_concurrent_executions = var.concurrency
  layers                         = var.layers
  s3_bucket                      = var.package.bucket
  s3_key                         = var.package.key
  s3_object_version              = var.package.version_id
  source_code_hash               = var.package.source_hash

  ephemeral_storage {
    size = var.temporary_mb
  }

  environment {
    variables = var.environment
  }

  # The runtime itself writes JSON.
  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  dynamic "vpc_config" {
    for_each = var.network == null ? [] : [var.network]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  depends_on = [aws_iam_role_policy.this]
}

resource "aws_lambda_function_event_invoke_config" "this" {
  function_name = aws_lambda_function.this.function_name
  # The next trigger comes soon anyway: a lost one needs no queue.
  maximum_event_age_in_seconds = 900
  maximum_retry_attempts       = 1
}
