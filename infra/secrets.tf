# Values are put in by a person (see outputs), so that none is in the state.
resource "aws_secretsmanager_secret" "database" {
  for_each = toset(["source", "warehouse"])

  name                    = "${local.name}/${each.key}"
  description             = "Connection URL of the ${each.key}, or JSON with url and ca"
  recovery_window_in_days = 7
}
