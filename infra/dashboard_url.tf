# Browsers can't sign requests for AWS: the function asks for its token itself,
# and answers nobody without it.
locals {
  dashboards = toset(var.dashboard ? ["dashboard"] : [])
}

resource "aws_lambda_function_url" "dashboard" {
  # checkov:skip=CKV_AWS_258:browsers can't sign; the function asks for its token
  for_each = local.dashboards

  function_name      = module.function[each.key].name
  authorization_type = "NONE"
}

resource "aws_lambda_permission" "dashboard_url" {
  # checkov:skip=CKV_AWS_301:it is public only if chosen, and behind its token
  for_each = local.dashboards

  statement_id           = "url"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = module.function[each.key].name
  principal              = "*"
  function_url_auth_type = "NONE"
}

# Since October 2025 a URL needs this as well:
# https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html. This version of
# the provider can't restrict it to calls by the URL: direct callers need the
# token, too, but can see the end of the function's log.
resource "aws_lambda_permission" "dashboard_function" {
  # checkov:skip=CKV_AWS_301:a public URL needs it
  for_each = local.dashboards

  statement_id  = "function"
  action        = "lambda:InvokeFunction"
  function_name = module.function[each.key].name
  principal     = "*"
}
