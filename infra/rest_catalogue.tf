# Only if an Iceberg REST catalogue is to name the lake's tables to other engines.
# Transform registers them there, and signs in with a secret that no other
# function may read.
locals {
  rest_catalogues = var.rest_catalogue == null ? {} : { this = var.rest_catalogue }
  rest_settings = [for catalogue in local.rest_catalogues : {
    for name, value in {
      ICEBERG_CATALOGUE      = "rest"
      ICEBERG_DATABASE       = catalogue.namespace
      ICEBERG_REST_URL       = catalogue.url
      ICEBERG_REST_WAREHOUSE = catalogue.warehouse
      ICEBERG_REST_TOKEN_URL = catalogue.token_url
      ICEBERG_REST_SCOPE     = catalogue.scope
    } : name => value if value != null
  }]
  rest_secrets = { for catalogue in local.rest_catalogues :
    "iceberg" => "What the Iceberg REST catalogue asks for: a token, or client-id:client-secret of OAuth 2"
  }
  # The functions may go to port 443 of the whole network already.
  rest_cidrs = var.vpc == null ? [] : setsubtract(
    try(var.rest_catalogue.cidrs, []),
    try(var.rest_catalogue.port, 443) == 443 ? var.vpc.cidrs : [],
  )
}

resource "aws_vpc_security_group_egress_rule" "rest_catalogue" {
  for_each = toset(local.rest_cidrs)

  security_group_id = aws_security_group.functions["this"].id
  description       = "Iceberg REST catalogue"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = var.rest_catalogue.port
  to_port           = var.rest_catalogue.port
}
