# Lets GitHub's deployments to the environment of this name apply, without keys.
locals {
  github_host = "token.actions.githubusercontent.com"
  githubs     = var.github == null ? {} : { this = var.github }
  # The provider exists already if another environment has created it.
  github_provider_arn = "arn:aws:iam::${local.account}:oidc-provider/${local.github_host}"
  # The subjects that may take a role: for deployments only a job of that
  # environment, no branch and no fork; for plans a pull request, and a fork's
  # gets no token.
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

# A deployment may do all but identities, which the statements below give it in
# part. Anyone who deploys code can read what the code reads, so an environment
# belongs into an account of its own.
resource "aws_iam_role_policy_attachment" "github" {
  # checkov:skip=CKV_AWS_274:see above
  for_each = local.githubs

  role       = aws_iam_role.github[each.key].name
  policy_arn = "arn:aws:iam::aws:policy/PowerUserAccess"
}

locals {
  deploy_statements = [
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
        "iam:TagRole",
        "iam:UntagRole",
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
    actions   = ["iam:PassRole"]
    resources = local.arns.roles

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["lambda.amazonaws.com", "s3.amazonaws.com", "scheduler.amazonaws.com"]
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

  # Roles of others may trust the whole account.
  statement {
    effect    = "Deny"
    actions   = ["sts:AssumeRole"]
    resources = ["*"]
  }

  statement {
    effect    = "Deny"
    actions   = local.history_actions
    resources = local.arns.history
  }
}

resource "aws_iam_role_policy" "github" {
  for_each = local.githubs

  name   = "deploy"
  role   = aws_iam_role.github[each.key].id
  policy = data.aws_iam_policy_document.github[each.key].json
}

# The plan of a pull request may only read. Of objects it reads packages and
# Terraform's state, and no others; of logs and messages nothing.
locals {
  plan_objects = concat(
    ["${local.arns.artefacts}/*"],
    [for github in local.githubs : "arn:aws:s3:::${github.state_bucket}/${var.environment}.tfstate*"],
  )
  plan_denied_actions = [
    "logs:FilterLogEvents",
    "logs:GetLogEvents",
    "logs:GetQueryResults",
    "logs:StartLiveTail",
    "logs:StartQuery",
    "secretsmanager:GetSecretValue",
    "sqs:ReceiveMessage",
    "ssm:GetParameter*",
    "sts:AssumeRole",
  ]
}

resource "aws_iam_role" "plan" {
  for_each = local.githubs

  name               = "${local.name}-github-plan"
  assume_role_policy = data.aws_iam_policy_document.github_trust["plan"].json
}

resource "aws_iam_role_policy_attachment" "plan" {
  for_each = local.githubs

  role       = aws_iam_role.plan[each.key].name
  policy_arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
}

data "aws_iam_policy_document" "plan" {
  for_each = local.githubs

  statement {
    effect        = "Deny"
    actions       = ["s3:GetObject", "s3:GetObjectVersion"]
    not_resources = local.plan_objects
  }

  statement {
    effect    = "Deny"
    actions   = local.plan_denied_actions
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "plan" {
  for_each = local.githubs

  name   = "this"
  role   = aws_iam_role.plan[each.key].id
  policy = data.aws_iam_policy_document.plan[each.key].json
}
