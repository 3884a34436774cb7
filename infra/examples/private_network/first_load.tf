# A first load that takes longer than a function may: a task on Fargate in the
# same network. Set `image` for it, and unset it afterwards: the endpoints that
# it needs, since nothing leaves the network, cost about a dollar a day.
variable "image" {
  description = "The platform's image in Amazon ECR, for a first load as a task; null: none."
  type        = string
  default     = null
}

locals {
  first_load  = "totesys-production-first-load"
  first_loads = var.image == null ? {} : { this = var.image }
  # What the stages' functions may do to the zones.
  first_load_statements = [
    for statement in concat([for stage in ["extract", "transform", "load"] : module.totesys.permissions[stage]]...) :
    statement if startswith(statement.actions[0], "s3:")
  ]
  first_load_secrets = {
    SOURCE_URL    = module.totesys.secrets.source
    WAREHOUSE_URL = module.totesys.secrets.warehouse
  }
}

resource "aws_ecs_cluster" "first_load" {
  # checkov:skip=CKV_AWS_65:one task, whose log says all
  for_each = local.first_loads

  name = local.first_load
}

resource "aws_cloudwatch_log_group" "first_load" {
  for_each = local.first_loads

  name              = "/ecs/${local.first_load}"
  retention_in_days = 90
}

data "aws_iam_policy_document" "first_load_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
  }
}

# Fargate starts the task with the one, and the code runs with the other.
resource "aws_iam_role" "first_load" {
  for_each = toset(var.image == null ? [] : ["start", "run"])

  name               = "${local.first_load}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.first_load_trust.json
}

resource "aws_iam_role_policy_attachment" "first_load" {
  for_each = local.first_loads

  role       = aws_iam_role.first_load["start"].name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

data "aws_iam_policy_document" "first_load_start" {
  statement {
    actions   = ["secretsmanager:GetSecretValue"]
    resources = values(local.first_load_secrets)
  }
}

data "aws_iam_policy_document" "first_load_run" {
  dynamic "statement" {
    for_each = local.first_load_statements

    content {
      actions   = statement.value.actions
      resources = statement.value.resources
    }
  }
}

resource "aws_iam_role_policy" "first_load_start" {
  for_each = local.first_loads

  name   = "secrets"
  role   = aws_iam_role.first_load["start"].id
  policy = data.aws_iam_policy_document.first_load_start.json
}

resource "aws_iam_role_policy" "first_load_run" {
  for_each = local.first_loads

  name   = "zones"
  role   = aws_iam_role.first_load["run"].id
  policy = data.aws_iam_policy_document.first_load_run.json
}

resource "aws_ecs_task_definition" "first_load" {
  # checkov:skip=CKV_AWS_336:it writes to /tmp, which is thrown away
  for_each = local.first_loads

  family                   = local.first_load
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 2048
  memory                   = 8192
  execution_role_arn       = aws_iam_role.first_load["start"].arn
  task_role_arn            = aws_iam_role.first_load["run"].arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }

  ephemeral_storage {
    size_in_gib = 100
  }

  container_definitions = jsonencode([{
    name      = "pipeline"
    image     = each.value
    essential = true
    command   = ["pipeline"]
    environment = [
      for name, value in merge(module.totesys.zones, { AWS_REGION = var.region }) :
      { name = name, value = value }
    ]
    secrets = [for name, arn in local.first_load_secrets : { name = name, valueFrom = arn }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.first_load[each.key].name
        awslogs-region        = var.region
        awslogs-stream-prefix = "task"
      }
    }
  }])
}

# One zone is enough for one task.
resource "aws_vpc_endpoint" "first_load" {
  for_each = toset(var.image == null ? [] : ["ecr.api", "ecr.dkr", "logs"])

  vpc_id              = module.network.vpc.id
  service_name        = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = [module.network.vpc.subnet_ids[0]]
  security_group_ids  = [aws_security_group.first_load["this"].id]
  private_dns_enabled = true
}

resource "aws_security_group" "first_load" {
  for_each = local.first_loads

  name        = local.first_load
  description = "Endpoints of the first load: from the functions and its task"
  vpc_id      = module.network.vpc.id
}

resource "aws_vpc_security_group_ingress_rule" "first_load" {
  for_each = local.first_loads

  security_group_id            = aws_security_group.first_load[each.key].id
  description                  = "The task"
  referenced_security_group_id = module.totesys.functions_security_group
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

output "run_first_load" {
  description = "Command that starts the first load; null: no image."
  value = one([
    for task in aws_ecs_task_definition.first_load : join(" ", [
      "aws ecs run-task --region ${var.region} --launch-type FARGATE",
      "--cluster ${local.first_load} --task-definition ${task.family} --network-configuration",
      "'awsvpcConfiguration={subnets=[${module.network.vpc.subnet_ids[0]}],securityGroups=[${module.totesys.functions_security_group}]}'",
    ])
  ])
}
