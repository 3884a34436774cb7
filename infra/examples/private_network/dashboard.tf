# The live dashboard within the network, for those who reach it by a VPN or a
# peered network: one task on Fargate, so one pool of connections, behind a load
# balancer that speaks TLS. Its pages stream, and it shows extract and transform
# by their zones, which the function behind a public URL can't.
variable "dashboard" {
  description = "The dashboard as a service; null: none."
  type = object({
    # The platform's image in Amazon ECR.
    image = string
    # The certificate in AWS Certificate Manager, of the name that people use.
    certificate_arn = string
    # The address ranges of its viewers.
    viewer_cidrs = set(string)
  })
  default = null

  validation {
    condition     = var.dashboard == null || can(regex("^arn:aws:acm:", var.dashboard.certificate_arn))
    error_message = "certificate_arn is the ARN of a certificate in AWS Certificate Manager."
  }
}

locals {
  dashboard  = "totesys-production-dashboard"
  dashboards = var.dashboard == null ? {} : { this = var.dashboard }
  port       = 8300
  zone_arns  = [for url in values(module.totesys.zones) : replace(url, "s3://", "arn:aws:s3:::")]
}

# ANALYST_URL, of a role that is a member of analyst, and DASHBOARD_TOKEN.
resource "aws_secretsmanager_secret" "dashboard" {
  for_each = toset(var.dashboard == null ? [] : ["analyst", "token"])

  name = "${local.dashboard}/${each.key}"
  # Both are easily made again: it can be turned off and on at once.
  recovery_window_in_days = 0
}

module "dashboard" {
  for_each = local.dashboards
  source   = "../../modules/task"

  name      = local.dashboard
  region    = var.region
  image     = each.value.image
  command   = "dashboard"
  cpu       = 512
  memory_mb = 1024
  ports     = [local.port]
  environment = merge(module.totesys.zones, {
    AWS_REGION       = var.region
    DASHBOARD_LISTEN = "0.0.0.0:${local.port}"
    # The balancer adds to X-Forwarded-For whom a request comes from.
    DASHBOARD_PROXIES = "1"
  })
  secrets = {
    ANALYST_URL     = aws_secretsmanager_secret.dashboard["analyst"].arn
    DASHBOARD_TOKEN = aws_secretsmanager_secret.dashboard["token"].arn
  }
  # It reads how far the stages are.
  statements = [
    { actions = ["s3:GetObject"], resources = [for arn in local.zone_arns : "${arn}/*"] },
    { actions = ["s3:ListBucket"], resources = local.zone_arns },
  ]
}

resource "aws_ecs_service" "dashboard" {
  for_each = local.dashboards

  name            = local.dashboard
  cluster         = module.dashboard[each.key].cluster
  task_definition = module.dashboard[each.key].task_definition
  launch_type     = "FARGATE"
  # Each task has a pool of its own; while a new one starts there are two.
  desired_count                     = 1
  health_check_grace_period_seconds = 60

  network_configuration {
    subnets          = module.network.vpc.subnet_ids
    security_groups  = [module.totesys.functions_security_group, aws_security_group.dashboard[each.key].id]
    assign_public_ip = false
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.dashboard[each.key].arn
    container_name   = "dashboard"
    container_port   = local.port
  }

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  # What its first task needs, as well: its roles' policies, and its image.
  depends_on = [aws_lb_listener.dashboard, aws_vpc_endpoint.tasks, module.dashboard]
}

resource "aws_lb" "dashboard" {
  # checkov:skip=CKV_AWS_91:the dashboard logs what it refuses
  # checkov:skip=CKV_AWS_150:nothing is lost with it
  for_each = local.dashboards

  name                       = local.dashboard
  internal                   = true
  load_balancer_type         = "application"
  subnets                    = module.network.vpc.subnet_ids
  security_groups            = [aws_security_group.balancer[each.key].id]
  drop_invalid_header_fields = true
  # A page's stream of events is silent for a while.
  idle_timeout = 120
}

resource "aws_lb_target_group" "dashboard" {
  # checkov:skip=CKV_AWS_378:TLS ends at the balancer, in the same network
  for_each = local.dashboards

  name        = local.dashboard
  vpc_id      = module.network.vpc.id
  target_type = "ip"
  protocol    = "HTTP"
  port        = local.port
  # Streams of events would delay a new task by as long.
  deregistration_delay = 10

  health_check {
    path = "/health"
    # 503: the warehouse is away, which no new task would change.
    matcher = "200,503"
  }
}

resource "aws_lb_listener" "dashboard" {
  for_each = local.dashboards

  load_balancer_arn = aws_lb.dashboard[each.key].arn
  protocol          = "HTTPS"
  port              = 443
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = each.value.certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.dashboard[each.key].arn
  }
}

resource "aws_security_group" "balancer" {
  for_each = local.dashboards

  name        = "${local.dashboard}-balancer"
  description = "Balancer of the dashboard: from its viewers, to the dashboard"
  vpc_id      = module.network.vpc.id
}

resource "aws_security_group" "dashboard" {
  for_each = local.dashboards

  name        = local.dashboard
  description = "The dashboard: from its balancer"
  vpc_id      = module.network.vpc.id
}

resource "aws_vpc_security_group_ingress_rule" "viewers" {
  for_each = var.dashboard == null ? toset([]) : var.dashboard.viewer_cidrs

  security_group_id = aws_security_group.balancer["this"].id
  description       = "Viewers"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "balancer" {
  for_each = local.dashboards

  security_group_id            = aws_security_group.balancer[each.key].id
  description                  = "The dashboard"
  referenced_security_group_id = aws_security_group.dashboard[each.key].id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

resource "aws_vpc_security_group_ingress_rule" "dashboard" {
  for_each = local.dashboards

  security_group_id            = aws_security_group.dashboard[each.key].id
  description                  = "Its balancer"
  referenced_security_group_id = aws_security_group.balancer[each.key].id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

output "dashboard_balancer" {
  description = "Name that the certificate's name must lead to, by a CNAME or an alias; null: no dashboard."
  value       = one([for balancer in aws_lb.dashboard : balancer.dns_name])
}

output "put_dashboard_secrets" {
  description = "Commands that give the dashboard its warehouse and its token."
  value = [
    for name, secret in aws_secretsmanager_secret.dashboard :
    "aws secretsmanager put-secret-value --region ${var.region} --secret-id ${secret.name} --secret-string file://${name}.secret"
  ]
}
