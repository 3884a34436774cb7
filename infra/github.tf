# Lets GitHub's deployments to the environment of this name apply, without keys.
locals {
  github_host = "token.actions.githubusercontent.com"
  githubs     = var.github == null ? {} : { this = var.github }
  # The provider exists already if another environment has created it.
  github_provider_arn = "arn:aws:iam::${local.account}:oidc-provider/${local.github_host}"
  # Who gets a role: for deployments only a job of that environment, no branch
  # and no fork; for plans a pull request, and a fork's gets no token.
  github_subjects = var.github == null ? {} : {
    deploy = "repo:${local.github_repository}:environment:${var.environment}"
    plan   = "repo:${local.github_repository}:pull_request"
  }
  # Since July 2026 GitHub names a new, renamed or transferred repository with
  # ids, so that nobody inherits a name and its rights:
  # https://docs.github.com/en/actions/reference/security/oidc
  github_repository = var.github == null ? null : (
    var.github.owner_id == null ? var.github.repository : join("/", [
      for index, id in [var.github.owner_id, var.github.repository_id] :
      "${split("/", var.github.repository)[index]}@${id}"
    ])
  )
}

resource "aws_iam_openid_connect_provider" "github" {
  for_each = { for name, github in local.githubs : name => github if github.create_provider }

  url            = "https://${local.github_host}"
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_iam_policy_document" "github_trust" {
  for_each = local.github_subjects

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [local.github_provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.github_host}:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.github_host}:sub"
      values   = [each.value]
    }
  }
}

resource "aws_iam_role" "github" {
  for_each = local.githubs

  name               = "${local.name}-github"
  assume_role_policy = data.aws_iam_policy_document.github_trust["deploy"].json
}

# What a deployment may do, by resource. A "*" stands where AWS has no ARN, or
# none before the resource exists; none of it can read a secret's value.
locals {
  deploy_statements = [
    {
      resources = [local.arns.buckets]
      actions = [
        "s3:CreateBucket",
        "s3:DeleteBucketPolicy",
        "s3:GetAccelerateConfiguration",
        "s3:GetBucketAcl",
        "s3:GetBucketCORS",
        "s3:GetBucketLogging",
        "s3:GetBucketNotification",
        "s3:GetBucketObjectLockConfiguration",
        "s3:GetBucketOwnershipControls",
        "s3:GetBucketPolicy",
        "s3:GetBucketPublicAccessBlock",
        "s3:GetBucketRequestPayment",
        "s3:GetBucketTagging",
        "s3:GetBucketVersioning",
        "s3:GetBucketWebsite",
        "s3:GetEncryptionConfiguration",
        "s3:GetLifecycleConfiguration",
        "s3:GetReplicationConfiguration",
        "s3:ListBucket",
        "s3:PutBucketNotification",
        "s3:PutBucketOwnershipControls",
        "s3:PutBucketPolicy",
        "s3:PutBucketPublicAccessBlock",
        "s3:PutBucketTagging",
        "s3:PutBucketVersioning",
        "s3:PutEncryptionConfiguration",
        "s3:PutLifecycleConfiguration",
        "s3:PutReplicationConfiguration",
      ]
    },
    {
      # To remove a package that is no longer one, with all its versions.
      resources = [local.arns.artefacts]
      actions   = ["s3:ListBucketVersions"]
    },
    {
      # Packages, but no object that holds data.
      resources = ["${local.arns.artefacts}/*"]
      actions = [
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
        "s3:GetObject",
        "s3:GetObjectTagging",
        "s3:GetObjectVersion",
        "s3:PutObject",
        "s3:PutObjectTagging",
      ]
    },
    {
      resources = [for github in local.githubs : "arn:aws:s3:::${github.state_bucket}"]
      actions   = ["s3:ListBucket"]
    },
    {
      # The lock is a file, which is deleted.
      resources = [for github in local.githubs : "arn:aws:s3:::${github.state_bucket}/${var.environment}.tfstate*"]
      actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    },
    {
      resources = [local.arns.functions, local.arns.layers]
      actions = [
        "lambda:AddPermission",
        "lambda:CreateFunction",
        "lambda:CreateFunctionUrlConfig",
        "lambda:DeleteFunction",
        "lambda:DeleteFunctionConcurrency",
        "lambda:DeleteFunctionEventInvokeConfig",
        "lambda:DeleteFunctionUrlConfig",
        "lambda:DeleteLayerVersion",
        "lambda:GetFunction",
        "lambda:GetFunctionCodeSigningConfig",
        "lambda:GetFunctionConfiguration",
        "lambda:GetFunctionEventInvokeConfig",
        "lambda:GetFunctionUrlConfig",
        "lambda:GetLayerVersion",
        "lambda:GetPolicy",
        "lambda:ListTags",
        "lambda:ListVersionsByFunction",
        "lambda:PublishLayerVersion",
        "lambda:PutFunctionConcurrency",
        "lambda:PutFunctionEventInvokeConfig",
        "lambda:RemovePermission",
        "lambda:TagResource",
        "lambda:UntagResource",
        "lambda:UpdateFunctionCode",
        "lambda:UpdateFunctionConfiguration",
        "lambda:UpdateFunctionEventInvokeConfig",
        "lambda:UpdateFunctionUrlConfig",
      ]
    },
    {
      resources = [local.arns.logs, "${local.arns.logs}:*"]
      actions = [
        "logs:CreateLogGroup",
        "logs:DeleteLogGroup",
        "logs:DeleteRetentionPolicy",
        "logs:ListTagsForResource",
        "logs:PutRetentionPolicy",
        "logs:TagResource",
        "logs:UntagResource",
      ]
    },
    {
      resources = [local.arns.alarms, local.arns.dashboards]
      actions = [
        "cloudwatch:DeleteAlarms",
        "cloudwatch:DeleteDashboards",
        "cloudwatch:GetDashboard",
        "cloudwatch:ListTagsForResource",
        "cloudwatch:PutDashboard",
        "cloudwatch:PutMetricAlarm",
        "cloudwatch:TagResource",
        "cloudwatch:UntagResource",
      ]
    },
    {
      resources = [local.arns.rules]
      actions = [
        "events:DeleteRule",
        "events:DescribeRule",
        "events:ListTagsForResource",
        "events:ListTargetsByRule",
        "events:PutRule",
        "events:PutTargets",
        "events:RemoveTargets",
        "events:TagResource",
        "events:UntagResource",
      ]
    },
    {
      resources = [local.arns.schedules, local.arns.group]
      actions = [
        "scheduler:CreateSchedule",
        "scheduler:CreateScheduleGroup",
        "scheduler:DeleteSchedule",
        "scheduler:DeleteScheduleGroup",
        "scheduler:GetSchedule",
        "scheduler:GetScheduleGroup",
        "scheduler:ListTagsForResource",
        "scheduler:TagResource",
        "scheduler:UntagResource",
        "scheduler:UpdateSchedule",
      ]
    },
    {
      resources = [local.arns.topics]
      actions = [
        "sns:CreateTopic",
        "sns:DeleteTopic",
        "sns:GetSubscriptionAttributes",
        "sns:GetTopicAttributes",
        "sns:ListSubscriptionsByTopic",
        "sns:ListTagsForResource",
        "sns:SetTopicAttributes",
        "sns:Subscribe",
        "sns:TagResource",
        "sns:Unsubscribe",
        "sns:UntagResource",
      ]
    },
    {
      resources = [local.arns.secrets]
      actions = [
        "secretsmanager:CreateSecret",
        "secretsmanager:DeleteSecret",
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetResourcePolicy",
        "secretsmanager:TagResource",
        "secretsmanager:UntagResource",
        "secretsmanager:UpdateSecret",
      ]
    },
    {
      resources = [local.arns.budgets]
      actions = [
        "budgets:ListTagsForResource",
        "budgets:ModifyBudget",
        "budgets:TagResource",
        "budgets:UntagResource",
        "budgets:ViewBudget",
      ]
    },
    {
      resources = ["*"]
      actions = concat(
        ["cloudwatch:DescribeAlarms", "logs:DescribeLogGroups"],
        var.vpc == null ? [] : [
          "ec2:AuthorizeSecurityGroupEgress",
          "ec2:AuthorizeSecurityGroupIngress",
          "ec2:CreateSecurityGroup",
          "ec2:CreateTags",
          "ec2:CreateVpcEndpoint",
          "ec2:DeleteSecurityGroup",
          "ec2:DeleteVpcEndpoints",
          "ec2:DescribeNetworkInterfaces",
          "ec2:DescribePrefixLists",
          "ec2:DescribeRouteTables",
          "ec2:DescribeSecurityGroupRules",
          "ec2:DescribeSecurityGroups",
          "ec2:DescribeSubnets",
          "ec2:DescribeVpcEndpoints",
          "ec2:DescribeVpcs",
          "ec2:ModifySecurityGroupRules",
          "ec2:ModifyVpcEndpoint",
          "ec2:RevokeSecurityGroupEgress",
          "ec2:RevokeSecurityGroupIngress",
        ],
      )
    },
    {
      # The roles of this environment, except its own.
      resources = local.arns.roles
      actions = [
        "iam:DeleteRole",
        "iam:DeleteRolePolicy",
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListInstanceProfilesForRole",
        "iam:ListRolePolicies",
        "iam:PassRole",
        "iam:TagRole",
        "iam:UntagRole",
        "iam:UpdateAssumeRolePolicy",
        "iam:UpdateRole",
      ]
    },
    {
      # What it may read but not change.
      resources = [
        local.arns.boundary,
        local.github_provider_arn,
        "arn:aws:iam::${local.account}:role/${local.name}-github",
        "arn:aws:iam::${local.account}:role/${local.name}-github-plan",
      ]
      actions = [
        "iam:GetOpenIDConnectProvider",
        "iam:GetPolicy",
        "iam:GetPolicyVersion",
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListPolicyVersions",
        "iam:ListRolePolicies",
      ]
    },
  ]
  # It may grant rights only to roles with the boundary: it can't give itself
  # more than this environment has.
  bounded_actions = [
    "iam:CreateRole",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
  ]
}

data "aws_iam_policy_document" "github" {
  for_each = local.githubs

  dynamic "statement" {
    for_each = local.deploy_statements

    content {
      actions   = statement.value.actions
      resources = statement.value.resources
    }
  }

  statement {
    actions   = local.bounded_actions
    resources = local.arns.roles

    condition {
      test     = "StringEquals"
      variable = "iam:PermissionsBoundary"
      values   = [local.arns.boundary]
    }
  }
}

resource "aws_iam_role_policy" "github" {
  for_each = local.githubs

  name   = "deploy"
  role   = aws_iam_role.github[each.key].id
  policy = data.aws_iam_policy_document.github[each.key].json
}

# The plan of a pull request may only read. Of objects it reads packages and
# Terraform's state, and none that holds data.
locals {
  plan_statements = [
    for statement in local.deploy_statements : {
      resources = statement.resources
      actions   = [for action in statement.actions : action if can(regex("^[a-z0-9]+:(Describe|Get|List|View)", action))]
    }
  ]
}

resource "aws_iam_role" "plan" {
  for_each = local.githubs

  name               = "${local.name}-github-plan"
  assume_role_policy = data.aws_iam_policy_document.github_trust["plan"].json
}

data "aws_iam_policy_document" "plan" {
  for_each = local.githubs

  dynamic "statement" {
    for_each = [for statement in local.plan_statements : statement if length(statement.actions) > 0]

    content {
      actions   = statement.value.actions
      resources = statement.value.resources
    }
  }
}

resource "aws_iam_role_policy" "plan" {
  for_each = local.githubs

  name   = "this"
  role   = aws_iam_role.plan[each.key].id
  policy = data.aws_iam_policy_document.plan[each.key].json
}
