# Only if the databases have no public address. A function in a network can't
# reach the internet: it reaches S3, Secrets Manager and Athena through endpoints,
# of which a network has one each: of this configuration, or of its own before.
locals {
  networks = var.vpc == null ? {} : { this = var.vpc }
  # The endpoints to create, by service.
  endpoints = {
    for service in ["s3", "secrets", "athena"] : service => {
      for name, network in local.networks : name => network
      if network.create_endpoints[service] && (service != "athena" || var.athena != null)
    }
  }
  # Those that a security group admits to.
  interfaces = merge(local.endpoints.secrets, local.endpoints.athena)
}

data "aws_ec2_managed_prefix_list" "s3" {
  for_each = local.networks

  name = "com.amazonaws.${var.region}.s3"
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

# A database admits nobody that its own security group does not name.
resource "aws_vpc_security_group_ingress_rule" "databases" {
  for_each = var.vpc == null ? toset([]) : var.vpc.database_security_group_ids

  security_group_id            = each.value
  description                  = "Functions of ${local.name}"
  referenced_security_group_id = aws_security_group.functions["this"].id
  ip_protocol                  = "tcp"
  from_port                    = var.vpc.database_port
  to_port                      = var.vpc.database_port
}

resource "aws_vpc_security_group_egress_rule" "s3" {
  for_each = local.networks

  security_group_id = aws_security_group.functions["this"].id
  description       = "S3 by its gateway"
  prefix_list_id    = data.aws_ec2_managed_prefix_list.s3[each.key].id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "secrets" {
  for_each = var.vpc == null ? toset([]) : var.vpc.cidrs

  security_group_id = aws_security_group.functions["this"].id
  description       = "Secrets Manager by its interface in the network"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_security_group" "endpoints" {
  for_each = local.interfaces

  name        = "${local.name}-endpoints"
  description = "Endpoint of Secrets Manager: from all of the network"
  vpc_id      = each.value.id
}

# From then on these services' names lead here in the whole network, so its other
# workloads must be let in as well.
resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  for_each = length(local.interfaces) == 0 ? toset([]) : var.vpc.cidrs

  security_group_id = aws_security_group.endpoints["this"].id
  description       = "The network"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_endpoint" "s3" {
  for_each = local.endpoints.s3

  vpc_id            = each.value.id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = each.value.route_table_ids
}

resource "aws_vpc_endpoint" "secrets" {
  for_each = local.endpoints.secrets

  vpc_id              = each.value.id
  service_name        = "com.amazonaws.${var.region}.secretsmanager"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = each.value.subnet_ids
  security_group_ids  = [aws_security_group.endpoints["this"].id]
  private_dns_enabled = true
}

resource "aws_vpc_endpoint" "athena" {
  for_each = local.endpoints.athena

  vpc_id              = each.value.id
  service_name        = "com.amazonaws.${var.region}.athena"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = each.value.subnet_ids
  security_group_ids  = [aws_security_group.endpoints["this"].id]
  private_dns_enabled = true
}
