# The permissions that no role of this environment can exceed, whatever its own
# policy may say some day: GitHub's role may create roles only with this. It
# names resources by patterns, since GitHub's role can't change it: it holds for
# every option.
data "aws_iam_policy_document" "boundary" {
  statement {
    actions = [
      "s3:AbortMultipartUpload",
      "s3:DeleteObject",
      "s3:GetBucketLocation",
      "s3:GetObject",
      "s3:GetObjectLegalHold",
      "s3:GetObjectRetention",
      "s3:GetObjectVersionAcl",
      "s3:GetObjectVersionForReplication",
      "s3:GetObjectVersionTagging",
      "s3:GetReplicationConfiguration",
      "s3:ListBucket",
      "s3:ListBucketMultipartUploads",
      "s3:ListMultipartUploadParts",
      "s3:PutObject",
      "s3:ReplicateObject",
      "s3:ReplicateTags",
    ]
    resources = [local.arns.buckets, "${local.arns.buckets}/*"]
  }

  statement {
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [local.arns.secrets]
  }

  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${local.arns.logs}:*"]
  }

  statement {
    actions   = ["lambda:InvokeFunction"]
    resources = [local.arns.functions]
  }

  statement {
    actions   = local.athena_actions
    resources = [local.arns.workgroup]
  }

  statement {
    actions   = local.glue_actions
    resources = concat(local.arns.glue, [local.arns.glue_default])
  }

  statement {
    actions   = local.lake_table_actions
    resources = local.arns.lake_tables
  }

  dynamic "statement" {
    for_each = local.network_statements

    content {
      actions   = statement.value.actions
      resources = statement.value.resources
    }
  }
}

resource "aws_iam_policy" "boundary" {
  name        = "${local.name}-boundary"
  description = "The most that a role of ${local.name} may do"
  policy      = data.aws_iam_policy_document.boundary.json
}
