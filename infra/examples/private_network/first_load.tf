# A first load that takes longer than a function may: a task on Fargate in the
# same network. Set `image` for it, and unset it afterwards: the endpoints that
# it needs cost about a dollar a day.
variable "image" {
  description = "The platform's image in Amazon ECR, for a first load as a task; null: none."
  type        = string
  default     = null
}

module "first_load" {
  for_each = var.image == null ? {} : { this = var.image }
  source   = "../../modules/task"

  name        = "totesys-production-first-load"
  region      = var.region
  image       = each.value
  command     = "pipeline"
  cpu         = 2048
  memory_mb   = 8192
  disk_gb     = 100
  environment = merge(module.totesys.zones, { AWS_REGION = var.region })
  secrets = {
    SOURCE_URL    = module.totesys.secrets.source
    WAREHOUSE_URL = module.totesys.secrets.warehouse
  }
  # What the stages' functions may do to the zones.
  statements = [
    for statement in concat([for stage in ["extract", "transform", "load"] : module.totesys.permissions[stage]]...) :
    statement if startswith(statement.actions[0], "s3:")
  ]
}

output "run_first_load" {
  description = "Command that starts the first load; null: no image."
  value = one([
    for task in module.first_load : join(" ", [
      "aws ecs run-task --region ${var.region} --launch-type FARGATE",
      "--cluster ${task.cluster} --task-definition ${task.family} --network-configuration",
      "'awsvpcConfiguration={subnets=[${module.network.vpc.subnet_ids[0]}],securityGroups=[${module.totesys.functions_security_group}]}'",
    ])
  ])
}
