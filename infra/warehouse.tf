# A warehouse in Amazon RDS, if one is wanted, in the functions' network.
locals {
  warehouses      = var.warehouse == null ? {} : { this = var.warehouse }
  warehouse_admin = "totesys_admin"
  warehouse_port  = 5432
}

resource "aws_db_subnet_group" "warehouse" {
  for_each = local.warehouses

  name       = "${local.name}-warehouse"
  subnet_ids = var.vpc.subnet_ids
}

resource "aws_db_parameter_group" "warehouse" {
  for_each = local.warehouses

  name   = "${local.name}-warehouse-${each.value.version}"
  family = "postgres${each.value.version}"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  # Another version has a group of its own, which the instance changes to.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_security_group" "warehouse" {
  for_each = local.warehouses

  name        = "${local.name}-warehouse"
  description = "Warehouse of ${local.name}: in from the functions and those who read it"
  vpc_id      = var.vpc.id
}

resource "aws_vpc_security_group_ingress_rule" "warehouse_functions" {
  for_each = local.warehouses

  security_group_id            = aws_security_group.warehouse[each.key].id
  description                  = "Functions of ${local.name}"
  referenced_security_group_id = aws_security_group.functions["this"].id
  ip_protocol                  = "tcp"
  from_port                    = local.warehouse_port
  to_port                      = local.warehouse_port
}

resource "aws_vpc_security_group_ingress_rule" "warehouse_readers" {
  for_each = var.warehouse == null ? toset([]) : var.warehouse.reader_cidrs

  security_group_id = aws_security_group.warehouse["this"].id
  description       = "Analysts, their tools and administrators"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = local.warehouse_port
  to_port           = local.warehouse_port
}

resource "aws_vpc_security_group_egress_rule" "warehouse" {
  for_each = local.warehouses

  security_group_id            = aws_security_group.functions["this"].id
  description                  = "Warehouse"
  referenced_security_group_id = aws_security_group.warehouse[each.key].id
  ip_protocol                  = "tcp"
  from_port                    = local.warehouse_port
  to_port                      = local.warehouse_port
}

# Of each instance that is made: the last snapshot of one must not have the name
# of another's.
resource "terraform_data" "warehouse" {
  for_each = local.warehouses
}

resource "aws_db_instance" "warehouse" {
  # checkov:skip=CKV_AWS_157:a second zone doubles the price; it is an option
  # checkov:skip=CKV_AWS_161:logins are roles with passwords in secrets
  # checkov:skip=CKV_AWS_118:CloudWatch's own metrics are enough
  # checkov:skip=CKV_AWS_353:the same
  # checkov:skip=CKV_AWS_129:RDS keeps its log for three days
  # checkov:skip=CKV_AWS_133:backup_days is 7 unless it is set
  # checkov:skip=CKV_AWS_293:deletion_protection is on unless it is set
  for_each = local.warehouses

  identifier     = "${local.name}-warehouse"
  engine         = "postgres"
  engine_version = each.value.version
  instance_class = each.value.instance_class

  db_name  = "warehouse"
  username = local.warehouse_admin
  # RDS keeps and rotates the administrator's password, in a secret of its own
  # that no function may read.
  manage_master_user_password = true

  storage_type          = "gp3"
  storage_encrypted     = true
  allocated_storage     = each.value.storage_gb
  max_allocated_storage = each.value.storage_gb_max

  multi_az               = each.value.multi_az
  publicly_accessible    = false
  port                   = local.warehouse_port
  db_subnet_group_name   = aws_db_subnet_group.warehouse[each.key].name
  parameter_group_name   = aws_db_parameter_group.warehouse[each.key].name
  vpc_security_group_ids = [aws_security_group.warehouse[each.key].id]

  backup_retention_period     = each.value.backup_days
  copy_tags_to_snapshot       = true
  deletion_protection         = each.value.deletion_protection
  skip_final_snapshot         = false
  final_snapshot_identifier   = "${local.name}-warehouse-final-${substr(terraform_data.warehouse[each.key].id, 0, 8)}"
  auto_minor_version_upgrade  = true
  allow_major_version_upgrade = true
  # Not in some night to come: a version needs its parameter group.
  apply_immediately = true
}
