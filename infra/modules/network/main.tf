# A network without a way out, for where there is none yet: two subnets in
# different zones, which S3's gateway and Secrets Manager's endpoint make enough.
terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "6.25.0"
    }
  }
}

variable "name" {
  description = "Name of the network, as it is shown."
  type        = string
}

variable "cidr" {
  description = "Its address range, which must not overlap with networks that it is to be peered with."
  type        = string

  validation {
    # Of a smaller range's subnets, endpoints, functions and a database leave too
    # few addresses for a load balancer; AWS takes no larger one than /16.
    condition     = can(cidrsubnet(var.cidr, 8, 1)) && try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 19, false)
    error_message = "cidr is a range of 8,192 to 65,536 addresses, such as 10.20.0.0/16."
  }
}

variable "zones" {
  description = "Two availability zones of the region, such as eu-west-2a and eu-west-2b."
  type        = list(string)

  validation {
    condition     = length(distinct(var.zones)) == 2 && length(var.zones) == 2
    error_message = "zones are two, and different."
  }
}

resource "aws_vpc" "this" {
  # checkov:skip=CKV2_AWS_11:nothing leaves it, and the databases log who comes
  cidr_block = var.cidr
  # Secrets Manager's name leads to its endpoint only with both.
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = var.name }
}

# Nothing uses it, so nothing may pass.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_subnet" "this" {
  count = 2

  vpc_id            = aws_vpc.this.id
  cidr_block        = cidrsubnet(var.cidr, 8, count.index)
  availability_zone = var.zones[count.index]

  tags = { Name = "${var.name}-${count.index}" }

  # Lambda removes its network interfaces long after the functions.
  timeouts {
    delete = "50m"
  }
}

resource "aws_route_table" "this" {
  vpc_id = aws_vpc.this.id

  tags = { Name = var.name }
}

resource "aws_route_table_association" "this" {
  count = 2

  subnet_id      = aws_subnet.this[count.index].id
  route_table_id = aws_route_table.this.id
}

output "vpc" {
  description = "What the variable vpc takes."
  value = {
    id              = aws_vpc.this.id
    cidrs           = [var.cidr]
    subnet_ids      = aws_subnet.this[*].id
    route_table_ids = [aws_route_table.this.id]
    database_cidrs  = [var.cidr]
  }
}
