# The only copy of history: nothing here or in a function may delete from it.
resource "aws_s3_bucket" "ingestion" {
  bucket              = "${local.name}-ingestion-${data.aws_caller_identity.current.account_id}"
  object_lock_enabled = true

  lifecycle {
    prevent_destroy = true
    # A bucket from before is locked by the configuration below.
    ignore_changes = [object_lock_enabled]
  }
}

# Not even an administrator removes a version by mistake.
resource "aws_s3_bucket_object_lock_configuration" "ingestion" {
  bucket = aws_s3_bucket.ingestion.id

  rule {
    default_retention {
      mode = "GOVERNANCE"
      days = local.old_version_days.ingestion
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

# Both can be made again. Without force_destroy a destroy would remove the
# lifecycle first, and old versions would be in its way for ever.
resource "aws_s3_bucket" "derived" {
  for_each = toset(["processed", "artefacts"])

  bucket        = "${local.name}-${each.key}-${data.aws_caller_identity.current.account_id}"
  force_destroy = true
}

locals {
  # What removes history, or would let it be removed later: no role of this
  # environment may, GitHub's neither. An administrator applies such a change.
  history_actions = [
    "s3:BypassGovernanceRetention",
    "s3:DeleteBucket",
    "s3:DeleteBucketPolicy",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:PutBucketObjectLockConfiguration",
    "s3:PutBucketPolicy",
    "s3:PutBucketVersioning",
    # A key of its own could be deleted, and what it encrypts would be lost; so
    # would what is there already, once its lock has ended:
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_UpdateObjectEncryption.html
    "s3:PutEncryptionConfiguration",
    "s3:PutLifecycleConfiguration",
    "s3:PutObjectRetention",
    "s3:PutReplicationConfiguration",
    "s3:UpdateObjectEncryption",
  ]
  # What extract replaces; every other file it creates, on the condition that
  # there is none of that name.
  replaced_keys = ["_batches*/latest", "_batches*/failed"]
  buckets = {
    ingestion = { id = aws_s3_bucket.ingestion.id, arn = aws_s3_bucket.ingestion.arn }
    processed = { id = aws_s3_bucket.derived["processed"].id, arn = aws_s3_bucket.derived["processed"].arn }
    artefacts = { id = aws_s3_bucket.derived["artefacts"].id, arn = aws_s3_bucket.derived["artefacts"].arn }
  }
  # A run lasts 12 hours at most, so older uploads belong to dead runs.
  unfinished_upload_days = 2
  # lake.duckdb is replaced with each batch, and can be rebuilt.
  old_version_days = { ingestion = 30, processed = 7, artefacts = 30 }
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = local.buckets

  bucket = each.value.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.buckets

  bucket = each.value.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }

  # AWS adds the kinds of encryption that it blocks, which this version of the
  # provider would take out again at every apply, and GitHub's role may not:
  # https://github.com/hashicorp/terraform-provider-aws/issues/47320
  lifecycle {
    ignore_changes = [rule]
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = local.buckets

  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = local.buckets

  bucket = each.value.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

data "aws_iam_policy_document" "bucket" {
  for_each = local.buckets

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [each.value.arn, "${each.value.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # Whatever else a role of this environment may be granted some day.
  dynamic "statement" {
    for_each = each.key == "ingestion" ? [each.value] : []

    content {
      sid       = "NothingIsRemoved"
      effect    = "Deny"
      actions   = local.history_actions
      resources = [statement.value.arn, "${statement.value.arn}/*"]

      principals {
        type        = "*"
        identifiers = ["*"]
      }

      condition {
        test     = "ArnLike"
        variable = "aws:PrincipalArn"
        values   = ["arn:aws:iam::${local.account}:role/${local.name}-*"]
      }
    }
  }

  # An old version of what is overwritten would expire. The parts of an upload
  # carry no condition, its completion does:
  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
  dynamic "statement" {
    for_each = each.key == "ingestion" ? [each.value] : []

    content {
      sid           = "NothingIsOverwritten"
      effect        = "Deny"
      actions       = ["s3:PutObject"]
      not_resources = [for key in local.replaced_keys : "${statement.value.arn}/${key}"]

      principals {
        type        = "*"
        identifiers = ["*"]
      }

      condition {
        test     = "ArnLike"
        variable = "aws:PrincipalArn"
        values   = ["arn:aws:iam::${local.account}:role/${local.name}-*"]
      }

      condition {
        test     = "Null"
        variable = "s3:if-none-match"
        values   = ["true"]
      }

      condition {
        test     = "Bool"
        variable = "s3:ObjectCreationOperation"
        values   = ["true"]
      }
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = local.buckets

  bucket = each.value.id
  policy = data.aws_iam_policy_document.bucket[each.key].json

  depends_on = [aws_s3_bucket_public_access_block.this]
}

# A manifest in a zone starts the next stage.
resource "aws_s3_bucket_notification" "this" {
  for_each = toset(values(local.manifests))

  bucket      = local.buckets[each.key].id
  eventbridge = true
}

# Only the manifests show which files are garbage: `sweep` removes those.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = local.buckets

  bucket = each.value.id

  rule {
    id     = "unfinished-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = local.unfinished_upload_days
    }
  }

  rule {
    id     = "old-versions"
    status = "Enabled"

    filter {}

    # Lists pass over each marker that a deletion has left.
    expiration {
      expired_object_delete_marker = true
    }

    noncurrent_version_expiration {
      noncurrent_days = local.old_version_days[each.key]
    }
  }

  dynamic "rule" {
    for_each = each.key == "artefacts" ? local.athenas : {}

    content {
      id     = "athena-results"
      status = "Enabled"

      filter {
        prefix = "${local.athena_results}/"
      }

      expiration {
        days = 1
      }

      noncurrent_version_expiration {
        noncurrent_days = 1
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}
