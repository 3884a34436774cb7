# GitHub's deployments to the environment of this name may apply, without keys.
locals {
  github_host = "token.actions.githubusercontent.com"
  githubs     = var.github == null ? {} : { this = var.github }
  # The provider is there already where another environment has made it.
  github_provider_arn = "arn:aws:iam::${data.aws_caller_identity.current.account_id}:oidc-provider/${local.github_host}"
}

resource "aws_iam_openid_connect_provider" "github" {
  for_each = { for name, github in local.githubs : name => github if github.create_provider }

  url            = "https://${local.github_host}"
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_iam_policy_document" "github_trust" {
  for_each = local.githubs

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

    # No branch and no fork: only a job of that environment.
    condition {
      test     = "StringEquals"
      variable = "${local.github_host}:sub"
      values   = ["repo:${each.value.repository}:environment:${var.environment}"]
    }
  }
}

resource "aws_iam_role" "github" {
  for_each = local.githubs

  name               = "${local.name}-github"
  assume_role_policy = data.aws_iam_policy_document.github_trust[each.key].json
}

resource "aws_iam_role_policy_attachment" "github" {
  for_each = local.githubs

  role       = aws_iam_role.github[each.key].name
  policy_arn = "arn:aws:iam::aws:policy/PowerUserAccess"
}

# Of identities only the roles of this environment, but for its own.
data "aws_iam_policy_document" "github" {
  for_each = local.githubs

  statement {
    actions = [
      "iam:CreateRole",
      "iam:DeleteRole",
      "iam:DeleteRolePolicy",
      "iam:GetRole",
      "iam:GetRolePolicy",
      "iam:ListAttachedRolePolicies",
      "iam:ListInstanceProfilesForRole",
      "iam:ListRolePolicies",
      "iam:PassRole",
      "iam:PutRolePolicy",
      "iam:TagRole",
      "iam:UntagRole",
      "iam:UpdateAssumeRolePolicy",
      "iam:UpdateRole",
    ]
    resources = [
      for name in concat(keys(local.functions), ["scheduler", "replication"]) :
      "arn:aws:iam::${data.aws_caller_identity.current.account_id}:role/${local.name}-${name}"
    ]
  }

  statement {
    actions = [
      "iam:GetOpenIDConnectProvider",
      "iam:GetRole",
      "iam:GetRolePolicy",
      "iam:ListAttachedRolePolicies",
      "iam:ListRolePolicies",
    ]
    resources = [
      "arn:aws:iam::${data.aws_caller_identity.current.account_id}:role/${local.name}-github",
      local.github_provider_arn,
    ]
  }
}

resource "aws_iam_role_policy" "github" {
  for_each = local.githubs

  name   = "roles"
  role   = aws_iam_role.github[each.key].id
  policy = data.aws_iam_policy_document.github[each.key].json
}
