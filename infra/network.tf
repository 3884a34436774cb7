# Only if the databases have no public address. A function in a network can't
# reach the internet: it reaches S3, Secrets Manager, Athena and Glue through
# endpoints, of which a network has one each: of this configuration, or of its
# own before.
locals {
  networks = var.vpc == null ? {} : { this = var.vpc }
  # The endpoints to create that a security group admits to, by what they are in
  # create_endpoints.
  interfaces = { for service, name in {
    secretsmanager = "secrets"
    athena         = var.athena == null ? null : "athena"
    glue           = var.glue ? "glue" : null
  } : name => service if name != null && try(var.vpc.create_endpoints[name], false) }
}

data "aws_ec2_managed_prefix_list" "s3" {
  for_each = local.networks

  name = "com.amazonaws.${var.region}.s3"
}

locals {
  # AWS requires these on all resources.
  network_statements = [
    {
      actions = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
      ]
      resources = ["*"]
    },
  ]
}

data "aws_iam_policy_document" "network" {
  dynamic "statement" {
    for_each = local.network_statements

    content {
      actions   = statement.value.actions
      resources = statement.value.resources
    }
  }

  # Lambda itself needs them, and not the code that it runs:
  # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
  dynamic "statement" {
    for_each = local.network_statements

    content {
      effect    = "Deny"
      actions   = statement.value.actions
      resources = statement.value.resources

      condition {
        test     = "ArnLike"
        variable = "lambda:SourceFunctionArn"
        values   = [local.arns.functions]
      }
    }
  }
}

resource "aws_iam_role_policy" "network" {
  for_each = { for name in keys(local.functions) : name => name if var.vpc != null }

  name   = "network"
  role   = aws_iam_role.function[each.key].id
  policy = data.aws_iam_policy_document.network.json
}

# Lambda removes a network interface up to 45 minutes after the last function left,
# with the rights of the functions' roles. Until then the group can't be
# deleted: so it goes after the functions have left it, and before those rights.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
resource "aws_security_group" "functions" {
  for_each = local.networks

  name        = "${local.name}-functions"
  description = "Functions of ${local.name}: out to the databases and AWS only"
  vpc_id      = each.value.id

  timeouts {
    delete = "50m"
  }

  # Otherwise Terraform deletes it first. What replaces the group, as another
  # description, needs another name too.
  lifecycle {
    create_before_destroy = true
  }

  depends_on = [aws_iam_role_policy.network]
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
  for_each = { for name, network in local.networks : name => network if length(local.interfaces) > 0 }

  name = "${local.name}-endpoints"
  # Of all interfaces; another text would replace the group.
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
  for_each = { for name, network in local.networks : name => network if network.create_endpoints.s3 }

  vpc_id            = each.value.id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = each.value.route_table_ids
}

resource "aws_vpc_endpoint" "interface" {
  for_each = local.interfaces

  vpc_id              = var.vpc.id
  service_name        = "com.amazonaws.${var.region}.${each.value}"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = var.vpc.subnet_ids
  security_group_ids  = [aws_security_group.endpoints["this"].id]
  private_dns_enabled = true
}

moved {
  from = aws_vpc_endpoint.secrets["this"]
  to   = aws_vpc_endpoint.interface["secrets"]
}

moved {
  from = aws_vpc_endpoint.athena["this"]
  to   = aws_vpc_endpoint.interface["athena"]
}
