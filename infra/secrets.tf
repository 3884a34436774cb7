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
  )
}

resource "aws_secretsmanager_secret" "settings" {
  for_each = local.secrets

  name        = "${local.name}/${each.key}"
  description = each.value
  # A name is free again after that. The dashboard's can be turned off and on
  # again at once: both values are easily made again.
  recovery_window_in_days = contains(["analyst", "dashboard"], each.key) ? 0 : 7
}

moved {
  from = aws_secretsmanager_secret.database
  to   = aws_secretsmanager_secret.settings
}
