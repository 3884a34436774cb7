# The permissions that no role of this environment can exceed, whatever its own
# policy may say some day: GitHub's role may create roles only with this.
data "aws_iam_policy_document" "boundary" {
  statement {
    actions = [
      "s3:AbortMultipartUpload",
      "s3:DeleteObject",
      "s3:GetObject",
      "s3:GetObjectVersionAcl",
      "s3:GetObjectVersionForReplication",
      "s3:GetObjectVersionTagging",
      "s3:GetReplicationConfiguration",
      "s3:ListBucket",
      "s3:ListBucketMultipartUploads",
      "s3:PutObject",
      "s3:ReplicateObject",
      "s3:ReplicateTags",
    ]
    resources = flatten([
      for arn in concat(
        [for bucket in local.buckets : bucket.arn],
        [for bucket in aws_s3_bucket.replica : bucket.arn],
      ) : [arn, "${arn}/*"]
    ])
  }

  statement {
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [for secret in aws_secretsmanager_secret.database : secret.arn]
  }

  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${local.arns.logs}:*"]
  }

  statement {
    actions   = ["lambda:InvokeFunction"]
    resources = [local.arns.functions]
  }

  # For functions in a network; AWS requires these on all resources.
  statement {
    actions = [
      "ec2:AssignPrivateIpAddresses",
      "ec2:CreateNetworkInterface",
      "ec2:DeleteNetworkInterface",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSubnets",
      "ec2:UnassignPrivateIpAddresses",
    ]
    resources = ["*"]
  }
}

resource "aws_iam_policy" "boundary" {
  name        = "${local.name}-boundary"
  description = "The most that a role of ${local.name} may do"
  policy      = data.aws_iam_policy_document.boundary.json
}

locals {
  account = data.aws_caller_identity.current.account_id
  # ARNs of resources that are named here before they exist.
  arns = {
    alarms     = "arn:aws:cloudwatch:${var.region}:${local.account}:alarm:${local.name}-*"
    boundary   = "arn:aws:iam::${local.account}:policy/${local.name}-boundary"
    budgets    = "arn:aws:budgets::${local.account}:budget/${local.name}"
    artefacts  = "arn:aws:s3:::${local.name}-artefacts-*"
    buckets    = "arn:aws:s3:::${local.name}-*"
    dashboards = "arn:aws:cloudwatch::${local.account}:dashboard/${local.name}"
    functions  = "arn:aws:lambda:${var.region}:${local.account}:function:${local.name}-*"
    layers     = "arn:aws:lambda:${var.region}:${local.account}:layer:${local.name}-*"
    logs       = "arn:aws:logs:${var.region}:${local.account}:log-group:/aws/lambda/${local.name}-*"
    rules      = "arn:aws:events:${var.region}:${local.account}:rule/${local.name}-*"
    schedules  = "arn:aws:scheduler:${var.region}:${local.account}:schedule/${local.name}/*"
    group      = "arn:aws:scheduler:${var.region}:${local.account}:schedule-group/${local.name}"
    secrets    = "arn:aws:secretsmanager:${var.region}:${local.account}:secret:${local.name}/*"
    topics     = "arn:aws:sns:${var.region}:${local.account}:${local.name}-*"
    roles = [
      for name in concat(keys(local.functions), ["scheduler", "replication"]) :
      "arn:aws:iam::${local.account}:role/${local.name}-${name}"
    ]
  }
}
