# People enter the values (see outputs), so that none is in the state.
locals {
  secrets = merge(
    {
      source    = "Connection URL of the source, or JSON with url and ca"
      warehouse = "Connection URL of the warehouse, or JSON with url and ca"
    },
    var.dashboard ? {
      analyst   = "Connection URL of the warehouse for a member of the role analyst, or JSON with url and ca"
      dashboard = "What the dashboard asks for: 16 characters or more, hard to guess"
    } : {},
    local.rest_secrets,
  )
  # A name is free again some time after its secret is deleted. These are free at
  # once, as they belong to options that can be turned off and on again: their
  # values are easily made again.
  optional_secrets = ["analyst", "dashboard", "iceberg"]
}

resource "aws_secretsmanager_secret" "settings" {
  for_each = local.secrets

  name                    = "${local.name}/${each.key}"
  description             = each.value
  recovery_window_in_days = contains(local.optional_secrets, each.key) ? 0 : 7
}

moved {
  from = aws_secretsmanager_secret.database
  to   = aws_secretsmanager_secret.settings
}
