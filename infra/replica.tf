# A second copy of the ingestion bucket in another region, if one is wanted.
locals {
  replicas         = var.replica_region == null ? toset([]) : toset([var.replica_region])
  replica_bucket   = "${local.name}-replica-${local.account}"
  replication_rule = "all"
}

resource "aws_s3_bucket" "replica" {
  for_each = local.replicas
  provider = aws.replica

  bucket              = local.replica_bucket
  object_lock_enabled = true

  lifecycle {
    prevent_destroy = true
    ignore_changes  = [object_lock_enabled]
  }
}

resource "aws_s3_bucket_object_lock_configuration" "replica" {
  for_each = local.replicas
  provider = aws.replica

  bucket = aws_s3_bucket.replica[each.key].id

  rule {
    default_retention {
      mode = "GOVERNANCE"
      days = local.old_version_days.ingestion
    }
  }

  depends_on = [aws_s3_bucket_versioning.replica]
}

resource "aws_s3_bucket_versioning" "replica" {
  for_each = local.replicas
  provider = aws.replica

  bucket = aws_s3_bucket.replica[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "replica" {
  for_each = local.replicas
  provider = aws.replica

  bucket = aws_s3_bucket.replica[each.key].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }

  # As for the others: AWS adds to it.
  lifecycle {
    ignore_changes = [rule]
  }
}

resource "aws_s3_bucket_public_access_block" "replica" {
  for_each = local.replicas
  provider = aws.replica

  bucket                  = aws_s3_bucket.replica[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "replica" {
  for_each = local.replicas
  provider = aws.replica

  bucket = aws_s3_bucket.replica[each.key].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

data "aws_iam_policy_document" "replica" {
  for_each = local.replicas

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.replica[each.key].arn, "${aws_s3_bucket.replica[each.key].arn}/*"]

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

  statement {
    sid       = "NothingIsRemoved"
    effect    = "Deny"
    actions   = local.history_actions
    resources = [aws_s3_bucket.replica[each.key].arn, "${aws_s3_bucket.replica[each.key].arn}/*"]

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

  # Replication writes by rights of its own (s3:ReplicateObject), nobody else.
  statement {
    sid       = "NothingIsOverwritten"
    effect    = "Deny"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.replica[each.key].arn}/*"]

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

resource "aws_s3_bucket_policy" "replica" {
  for_each = local.replicas
  provider = aws.replica

  bucket = aws_s3_bucket.replica[each.key].id
  policy = data.aws_iam_policy_document.replica[each.key].json

  depends_on = [aws_s3_bucket_public_access_block.replica]
}

resource "aws_s3_bucket_lifecycle_configuration" "replica" {
  for_each = local.replicas
  provider = aws.replica

  bucket = aws_s3_bucket.replica[each.key].id

  rule {
    id     = "old-versions"
    status = "Enabled"

    filter {}

    expiration {
      expired_object_delete_marker = true
    }

    noncurrent_version_expiration {
      noncurrent_days = local.old_version_days.ingestion
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = local.unfinished_upload_days
    }
  }

  depends_on = [aws_s3_bucket_versioning.replica]
}

data "aws_iam_policy_document" "replication_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "replication" {
  for_each = local.replicas

  statement {
    actions   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
    resources = [aws_s3_bucket.ingestion.arn]
  }

  statement {
    actions = [
      "s3:GetObjectVersionForReplication",
      "s3:GetObjectVersionAcl",
      "s3:GetObjectVersionTagging",
      # Of a locked object.
      "s3:GetObjectLegalHold",
      "s3:GetObjectRetention",
    ]
    resources = ["${aws_s3_bucket.ingestion.arn}/*"]
  }

  # No ReplicateDelete: an object deleted in one place stays in the other.
  statement {
    actions   = ["s3:ReplicateObject", "s3:ReplicateTags"]
    resources = ["${aws_s3_bucket.replica[each.key].arn}/*"]
  }
}

resource "aws_iam_role" "replication" {
  for_each = local.replicas

  name                 = "${local.name}-replication"
  assume_role_policy   = data.aws_iam_policy_document.replication_trust.json
  permissions_boundary = aws_iam_policy.boundary.arn
}

resource "aws_iam_role_policy" "replication" {
  for_each = local.replicas

  name   = "replicate"
  role   = aws_iam_role.replication[each.key].id
  policy = data.aws_iam_policy_document.replication[each.key].json
}

resource "aws_s3_bucket_replication_configuration" "ingestion" {
  for_each = local.replicas

  bucket = aws_s3_bucket.ingestion.id
  role   = aws_iam_role.replication[each.key].arn

  rule {
    id     = local.replication_rule
    status = "Enabled"

    filter {}

    delete_marker_replication {
      status = "Disabled"
    }

    # Most files are below the minimum size that cheaper classes charge for.
    destination {
      bucket = aws_s3_bucket.replica[each.key].arn

      # By which an alarm learns of copies that failed.
      metrics {
        status = "Enabled"
      }
    }
  }

  depends_on = [
    aws_s3_bucket_versioning.this,
    aws_s3_bucket_object_lock_configuration.replica,
  ]
}
