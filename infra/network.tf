# Only if the databases have no public address. A function in a network can't
# reach the internet: it reaches S3 and Secrets Manager through endpoints.
locals {
  networks = var.vpc == null ? {} : { this = var.vpc }
}

resource "aws_security_group" "functions" {
  for_each = local.networks

  name        = "${local.name}-functions"
  description = "Functions of ${local.name}: out to the databases and AWS only"
  vpc_id      = each.value.id
}

resource "aws_vpc_security_group_egress_rule" "databases" {
  for_each = var.vpc == null ? toset([]) : toset(var.vpc.database_cidrs)

  security_group_id = aws_security_group.functions["this"].id
  description       = "Databases"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = var.vpc.database_port
  to_port           = var.vpc.database_port
}

resource "aws_vpc_security_group_egress_rule" "s3" {
  for_each = local.networks

  security_group_id = aws_security_group.functions["this"].id
  description       = "S3 by its gateway"
  prefix_list_id    = aws_vpc_endpoint.s3["this"].prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "secrets" {
  for_each = local.networks

  security_group_id            = aws_security_group.functions["this"].id
  description                  = "Secrets Manager by its interface"
  referenced_security_group_id = aws_security_group.endpoints["this"].id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_security_group" "endpoints" {
  for_each = local.networks

  name        = "${local.name}-endpoints"
  description = "Endpoints of ${local.name}: from its functions only"
  vpc_id      = each.value.id
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  for_each = local.networks

  security_group_id            = aws_security_group.endpoints["this"].id
  description                  = "Functions"
  referenced_security_group_id = aws_security_group.functions["this"].id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_endpoint" "s3" {
  for_each = local.networks

  vpc_id            = each.value.id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = each.value.route_table_ids
}

resource "aws_vpc_endpoint" "secrets" {
  for_each = local.networks

  vpc_id              = each.value.id
  service_name        = "com.amazonaws.${var.region}.secretsmanager"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = each.value.subnet_ids
  security_group_ids  = [aws_security_group.endpoints["this"].id]
  private_dns_enabled = true
}
