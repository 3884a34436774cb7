# Only if the Glue Data Catalog is to name the lake's Iceberg tables to other
# engines. They are transform's, which publishes them; dropping a name there
# drops no file.
locals {
  glues = var.glue ? { this = "${local.athena_database}_lake" } : {}
  glue_settings = [for database in local.glues : {
    ICEBERG_CATALOGUE = "glue"
    ICEBERG_DATABASE  = database
  }]
  lake_table_actions = [
    "glue:CreateTable",
    "glue:GetTable",
    "glue:UpdateTable",
  ]
  lake_table_statements = [for database in local.glues : {
    actions   = local.lake_table_actions
    resources = local.arns.lake_tables
  }]
}

resource "aws_glue_catalog_database" "lake" {
  for_each = local.glues

  name        = each.value
  description = "The lake of ${local.name} as Iceberg tables, which its transform shows here"
}
