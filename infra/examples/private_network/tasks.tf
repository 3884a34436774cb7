# What a task on Fargate needs of a network that nothing leaves: its image, and
# where it logs. One zone is enough for one task.
locals {
  tasks = var.image == null && var.dashboard == null ? {} : { this = module.network.vpc }
}

resource "aws_vpc_endpoint" "tasks" {
  for_each = toset(length(local.tasks) == 0 ? [] : ["ecr.api", "ecr.dkr", "logs"])

  vpc_id              = module.network.vpc.id
  service_name        = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = [module.network.vpc.subnet_ids[0]]
  security_group_ids  = [aws_security_group.tasks["this"].id]
  private_dns_enabled = true
}

resource "aws_security_group" "tasks" {
  for_each = local.tasks

  name        = "totesys-production-tasks"
  description = "Endpoints of the tasks: from the functions and the tasks"
  vpc_id      = each.value.id
}

# The tasks are in the functions' group, which the databases admit.
resource "aws_vpc_security_group_ingress_rule" "tasks" {
  for_each = local.tasks

  security_group_id            = aws_security_group.tasks[each.key].id
  description                  = "The tasks"
  referenced_security_group_id = module.totesys.functions_security_group
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}
