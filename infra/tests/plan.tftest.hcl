# Asserts on the plan, without an account: `terraform -chdir=infra test`.
mock_provider "aws" {
  override_during = plan

  # The provider refuses a policy that is not JSON.
  mock_data "aws_iam_policy_document" {
    defaults = {
      json = "{}"
    }
  }
}

mock_provider "aws" {
  alias           = "replica"
  override_during = plan

  mock_data "aws_iam_policy_document" {
    defaults = {
      json = "{}"
    }
  }
}

override_resource {
  target          = aws_sns_topic.alarms
  override_during = plan
  values = {
    arn = "arn:aws:sns:eu-west-2:123456789012:alarms"
  }
}

override_resource {
  target          = aws_iam_policy.boundary
  override_during = plan
  values = {
    arn = "arn:aws:iam::123456789012:policy/totesys-testing-boundary"
  }
}

variables {
  environment        = "testing"
  region             = "eu-west-2"
  package_dir        = "tests/package"
  emails             = ["team@example.com"]
  phone_numbers      = ["+447700900000"]
  monthly_budget_usd = 50
}

run "buckets" {
  command = plan

  assert {
    condition     = length(local.buckets) == 3
    error_message = "There are three buckets, and all that follows is for each of them."
  }

  assert {
    condition = alltrue([for block in aws_s3_bucket_public_access_block.this : alltrue([
      block.block_public_acls,
      block.block_public_policy,
      block.ignore_public_acls,
      block.restrict_public_buckets,
    ])]) && length(aws_s3_bucket_public_access_block.this) == 3
    error_message = "Every bucket is private."
  }

  assert {
    condition     = alltrue([for one in aws_s3_bucket_versioning.this : one.versioning_configuration[0].status == "Enabled"]) && length(aws_s3_bucket_versioning.this) == 3
    error_message = "Every bucket keeps versions."
  }

  assert {
    condition     = alltrue([for one in aws_s3_bucket_server_side_encryption_configuration.this : length(one.rule) == 1]) && length(aws_s3_bucket_server_side_encryption_configuration.this) == 3
    error_message = "Every bucket is encrypted."
  }

  assert {
    condition     = length(aws_s3_bucket_policy.this) == 3
    error_message = "Every bucket refuses requests without TLS."
  }

  assert {
    condition     = alltrue([for one in aws_s3_bucket_notification.this : one.eventbridge]) && keys(aws_s3_bucket_notification.this) == ["ingestion", "processed"]
    error_message = "Manifests in both zones are events."
  }

  # With that, AWS takes no age.
  assert {
    condition = alltrue([
      for one in aws_s3_bucket_lifecycle_configuration.this :
      alltrue(flatten([for rule in one.rule : [for expiration in rule.expiration : expiration.expired_object_delete_marker]]))
    ])
    error_message = "Nothing that is current expires by age: only the manifests know what is garbage."
  }

  assert {
    condition     = alltrue([for one in aws_s3_bucket_lifecycle_configuration.this : anytrue([for rule in one.rule : length(rule.expiration) == 1])])
    error_message = "What a deletion leaves does not slow lists down for ever."
  }

  assert {
    condition     = aws_s3_bucket.ingestion.object_lock_enabled && aws_s3_bucket_object_lock_configuration.ingestion.rule[0].default_retention[0].days >= 30
    error_message = "Versions of the only copy of history are locked."
  }

  assert {
    condition     = local.unfinished_upload_days * 24 > 12
    error_message = "An upload may take as long as a run that still commits: 12 hours."
  }
}

run "permissions" {
  command = plan

  variables {
    vpc = {
      id              = "vpc-1"
      cidrs           = ["10.0.0.0/16", "10.1.0.0/16"]
      subnet_ids      = ["subnet-1"]
      route_table_ids = ["rtb-1"]
      database_cidrs  = ["10.0.0.0/16"]
    }
    github = {
      repository      = "owner/name"
      owner_id        = 1
      repository_id   = 2
      state_bucket    = "state"
      create_provider = true
    }
  }

  assert {
    condition = alltrue(flatten([
      for role in output.permissions : [for statement in role : [for action in statement.actions : !strcontains(action, "*")]]
    ]))
    error_message = "No action of a role has a wildcard."
  }

  # AWS knows no ARN for these.
  assert {
    condition = alltrue(flatten([
      for role in output.permissions : [
        for statement in role : alltrue([for action in statement.actions : can(regex("^ec2:", action))])
        if contains(statement.resources, "*")
      ]
    ]))
    error_message = "Every other permission is for certain resources."
  }

  assert {
    condition = alltrue(flatten([
      for name, function in local.functions : [
        for bucket, actions in function.objects : [
          for action in actions : bucket == "processed" && contains(["sweep", "transform", "verify"], name) if strcontains(action, "Delete")
        ]
      ]
    ]))
    error_message = "Nothing but sweep, transform and verify deletes, and nothing in the ingestion bucket."
  }

  assert {
    condition     = alltrue([for role in aws_iam_role.function : role.permissions_boundary == aws_iam_policy.boundary.arn]) && aws_iam_role.scheduler.permissions_boundary == aws_iam_policy.boundary.arn
    error_message = "No role goes beyond the boundary."
  }

  assert {
    condition = alltrue(flatten([
      for statement in local.deploy_statements : [
        for action in statement.actions : !contains(concat(local.bounded_actions, ["iam:AttachRolePolicy", "iam:CreatePolicyVersion", "iam:PassRole", "iam:UpdateAssumeRolePolicy"]), action)
      ]
    ]))
    error_message = "GitHub's role gives rights only within the boundary, and to AWS's services."
  }

  # Whatever the options: GitHub's role may change neither.
  assert {
    condition     = anytrue([for arn in local.arns.roles : endswith(arn, "-dashboard")])
    error_message = "The dashboard can be turned on by GitHub."
  }

  assert {
    condition = alltrue([
      for action in ["s3:BypassGovernanceRetention", "s3:DeleteObjectVersion", "s3:PutBucketPolicy", "s3:PutBucketVersioning", "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration", "s3:PutReplicationConfiguration", "s3:UpdateObjectEncryption"] :
      contains(local.history_actions, action)
    ])
    error_message = "Nobody here removes history, or lets it expire."
  }

  assert {
    condition     = local.github_subjects.deploy == "repo:owner@1/name@2:environment:testing" && local.github_subjects.plan == "repo:owner@1/name@2:pull_request"
    error_message = "GitHub names a repository with the ids of its owner and its own."
  }

  assert {
    condition     = alltrue([for resource in local.plan_objects : can(regex("-artefacts-|:state/", resource))])
    error_message = "A plan reads packages and Terraform's state, and no data."
  }

  # A file without rows is removed, which nearly every batch has.
  assert {
    condition = alltrue([
      for name in ["sweep", "transform", "verify"] : contains(local.functions[name].objects.processed, "s3:DeleteObject")
    ])
    error_message = "transform removes what it wrote without rows, and verify does what transform does."
  }

  assert {
    condition     = !contains(keys(local.functions.sweep.objects), "ingestion")
    error_message = "sweep has nothing to do with the ingestion bucket."
  }

  assert {
    condition     = local.functions.extract.secrets == ["source"] && local.functions.load.secrets == ["warehouse"] && length(local.functions.transform.secrets) == 0
    error_message = "A function reads only the secrets that it needs."
  }
}

run "replica" {
  command = plan

  variables {
    replica_region = "eu-west-1"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["replication"].namespace == "AWS/S3" && aws_cloudwatch_metric_alarm.this["replication"].dimensions.RuleId == aws_s3_bucket_replication_configuration.ingestion["eu-west-1"].rule[0].id
    error_message = "A copy that fails rings."
  }

  assert {
    condition = anytrue([
      for statement in data.aws_iam_policy_document.replica["eu-west-1"].statement :
      statement.sid == "NothingIsOverwritten" && statement.effect == "Deny" && contains(statement.actions, "s3:PutObject")
    ])
    error_message = "Nobody but replication writes into the replica."
  }
}

run "packages" {
  command = plan

  # A key of its own for each package would make each change of code a deletion.
  assert {
    condition     = alltrue([for part in values(local.package.parts) : contains(values(aws_s3_object.package)[*].key, part.file)])
    error_message = "A new package is a version of the old one."
  }
}

run "network" {
  command = plan

  variables {
    vpc = {
      id                          = "vpc-1"
      cidrs                       = ["10.0.0.0/16", "10.1.0.0/16"]
      subnet_ids                  = ["subnet-1"]
      route_table_ids             = ["rtb-1"]
      database_cidrs              = ["10.0.0.0/16"]
      database_security_group_ids = ["sg-1"]
    }
  }

  assert {
    condition     = keys(aws_vpc_security_group_ingress_rule.endpoints) == ["10.0.0.0/16", "10.1.0.0/16"]
    error_message = "All of the network reaches the endpoint that its names then lead to."
  }

  assert {
    condition     = keys(aws_vpc_security_group_ingress_rule.databases) == ["sg-1"] && length(aws_vpc_endpoint.s3) == 1 && keys(aws_vpc_endpoint.interface) == ["secrets"]
    error_message = "The databases admit the functions, which reach AWS."
  }
}

run "network_with_endpoints" {
  command = plan

  variables {
    vpc = {
      id               = "vpc-1"
      cidrs            = ["10.0.0.0/16", "10.1.0.0/16"]
      subnet_ids       = ["subnet-1"]
      database_cidrs   = ["10.0.0.0/16"]
      create_endpoints = { s3 = false, secrets = false }
    }
  }

  assert {
    condition     = length(aws_vpc_endpoint.s3) == 0 && length(aws_vpc_endpoint.interface) == 0 && length(aws_vpc_security_group_egress_rule.s3) == 1
    error_message = "Endpoints that are there are used."
  }
}

run "warehouse" {
  command = plan

  variables {
    vpc = {
      id              = "vpc-1"
      cidrs           = ["10.0.0.0/16"]
      subnet_ids      = ["subnet-1", "subnet-2"]
      route_table_ids = ["rtb-1"]
      database_cidrs  = []
    }
    warehouse = {
      instance_class = "db.t4g.micro"
      storage_gb     = 20
      storage_gb_max = 100
      multi_az       = false
      reader_cidrs   = ["10.0.1.0/24"]
    }
  }

  assert {
    condition     = anytrue([for one in aws_db_parameter_group.warehouse["this"].parameter : one.name == "rds.force_ssl" && one.value == "1"])
    error_message = "The warehouse takes no connection without TLS."
  }

  assert {
    condition = alltrue([for one in aws_db_instance.warehouse : alltrue([
      one.deletion_protection,
      one.storage_encrypted,
      one.manage_master_user_password,
      !one.publicly_accessible,
      !one.skip_final_snapshot,
      one.backup_retention_period > 0,
    ])])
    error_message = "The warehouse is private, encrypted, backed up and not deleted by mistake."
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.warehouse_readers) == 1 && length(aws_vpc_security_group_ingress_rule.warehouse_functions) == 1
    error_message = "The functions and the readers reach the warehouse, and nobody else."
  }
}

run "warehouse_without_network" {
  command = plan

  variables {
    warehouse = {
      instance_class = "db.t4g.micro"
      storage_gb     = 20
      storage_gb_max = 100
      multi_az       = false
      reader_cidrs   = []
    }
  }

  expect_failures = [var.warehouse]
}

run "warehouse_of_a_minor_version" {
  command = plan

  variables {
    vpc = {
      id              = "vpc-1"
      cidrs           = ["10.0.0.0/16"]
      subnet_ids      = ["subnet-1", "subnet-2"]
      route_table_ids = ["rtb-1"]
      database_cidrs  = ["10.0.0.0/16"]
    }
    warehouse = {
      version        = "17.5"
      instance_class = "db.t4g.micro"
      storage_gb     = 20
      storage_gb_max = 100
      multi_az       = false
      reader_cidrs   = []
    }
  }

  expect_failures = [var.warehouse]
}

run "network_without_routes" {
  command = plan

  variables {
    vpc = {
      id             = "vpc-1"
      cidrs          = ["10.0.0.0/16", "10.1.0.0/16"]
      subnet_ids     = ["subnet-1"]
      database_cidrs = ["10.0.0.0/16"]
    }
  }

  expect_failures = [var.vpc]
}

run "half_of_the_ids" {
  command = plan

  variables {
    github = {
      repository      = "owner/name"
      owner_id        = 1
      state_bucket    = "state"
      create_provider = true
    }
  }

  expect_failures = [var.github]
}

run "dashboard" {
  command = plan

  variables {
    dashboard = true
  }

  assert {
    condition     = length(aws_lambda_function_url.dashboard) == 1 && length(local.secrets) == 4
    error_message = "The dashboard has a URL and its secrets when it is asked for."
  }

  assert {
    condition     = module.function["dashboard"].concurrency == 5 && module.function["load"].concurrency == -1
    error_message = "A flood of requests takes little of the account's concurrency."
  }

  assert {
    condition     = length(aws_lambda_permission.dashboard_url) == 1 && length(aws_lambda_permission.dashboard_function) == 1
    error_message = "A URL needs both permissions."
  }

  assert {
    condition     = local.functions.dashboard.secrets == ["analyst", "dashboard"] && length(keys(local.functions.dashboard.objects)) == 0
    error_message = "The dashboard reads neither zones nor the loader's secret."
  }

  assert {
    condition = length(setsubtract(keys(module.function["dashboard"].environment), [
      "INGESTION_URL",
      "PROCESSED_URL",
      "METRICS_NAMESPACE",
      "ANALYST_SECRET_ID",
      "DASHBOARD_SECRET_ID",
    ])) == 0
    error_message = "The dashboard has no secret in its environment, only where it lies."
  }
}

run "no_dashboard" {
  command = plan

  assert {
    condition     = length(aws_lambda_function_url.dashboard) == 0 && length(local.secrets) == 2 && !contains(keys(local.functions), "dashboard")
    error_message = "Nothing is public unless it is asked for."
  }
}

run "secrets" {
  command = plan

  assert {
    condition = alltrue([
      for function in module.function : length(setsubtract(keys(function.environment), [
        "INGESTION_URL",
        "PROCESSED_URL",
        "METRICS_NAMESPACE",
        "SOURCE_SECRET_ID",
        "WAREHOUSE_SECRET_ID",
      ])) == 0
    ])
    error_message = "No function has a secret in its environment, only where it lies."
  }
}

run "triggers" {
  command = plan

  assert {
    condition     = var.extract_every_minutes + 2 * local.lost_event_minutes < local.freshness_seconds_max / 60
    error_message = "The promise of 30 minutes is kept even if both events are lost."
  }

  assert {
    condition     = aws_scheduler_schedule.this["extract"].schedule_expression == "rate(15 minutes)" && aws_scheduler_schedule.this["load"].schedule_expression == "rate(7 minutes)"
    error_message = "Extract runs every 15 minutes, load at least every 7."
  }

  assert {
    condition     = length(setsubtract(keys(local.functions), keys(local.schedules))) == 0
    error_message = "Every function but the dashboard has a schedule, for events may be lost."
  }

  assert {
    condition     = local.manifest_keys == "_batches*/*.json" && local.manifests == { transform = "ingestion", load = "processed" }
    error_message = "A manifest starts transform, and the hint _batches/latest does not."
  }
}

run "every_minute" {
  command = plan

  variables {
    extract_every_minutes = 1
  }

  assert {
    condition     = aws_scheduler_schedule.this["extract"].schedule_expression == "rate(1 minute)"
    error_message = "AWS wants the singular of one minute."
  }

  assert {
    condition     = aws_scheduler_schedule.this["load"].schedule_expression == "rate(14 minutes)" && local.all_alarms.no-data.periods * 5 > local.lost_event_minutes
    error_message = "Load reports freshness before the alarm for its absence rings."
  }
}

run "too_seldom" {
  command = plan

  variables {
    extract_every_minutes = 30
  }

  expect_failures = [var.extract_every_minutes]
}

run "alarms" {
  command = plan

  # The most that it may be.
  variables {
    extract_every_minutes = 20
  }

  assert {
    condition = keys(aws_cloudwatch_metric_alarm.this) == [
      "checks", "differences", "duration", "errors", "freshness", "no-data",
      "not-verified", "quarantine", "throttles",
    ]
    error_message = "There is one alarm for each way to fail."
  }

  # A composite acts only when it changes: an alarm that is on would hide others.
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : tolist(alarm.alarm_actions) == tolist([aws_sns_topic.alarms.arn])])
    error_message = "Each alarm rings by itself."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["freshness"].threshold == 1800 && aws_cloudwatch_metric_alarm.this["freshness"].evaluation_periods == 1
    error_message = "Older than 30 minutes rings at once."
  }

  # Otherwise it would end and ring again with each run.
  assert {
    condition = alltrue([
      for name in ["checks", "duration", "errors", "freshness", "quarantine"] :
      try(local.all_alarms[name].period, 300) >= var.extract_every_minutes * 60 + 120
    ])
    error_message = "An alarm stays on while each run finds the same."
  }

  assert {
    condition     = alltrue([for name in ["no-data", "not-verified"] : aws_cloudwatch_metric_alarm.this[name].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.this[name].comparison_operator == "LessThanThreshold"])
    error_message = "No data at all rings, and so does no verification."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["differences"].treat_missing_data == "ignore"
    error_message = "A difference stays on until a verification finds none."
  }

  assert {
    condition = alltrue([
      for name in ["errors", "throttles", "duration"] :
      length(aws_cloudwatch_metric_alarm.this[name].metric_query) == length(local.functions) + 1
    ])
    error_message = "Alarms of the functions look at all of them."
  }

  assert {
    condition     = issensitive(aws_sns_topic_subscription.email["${substr(sha256("team@example.com"), 0, 8)}"].endpoint) && !contains(keys(aws_sns_topic_subscription.sms), "+447700900000")
    error_message = "A plan shows nobody's address."
  }

  assert {
    condition     = length(aws_sns_topic_subscription.email) == 1 && length(aws_sns_topic_subscription.sms) == 1
    error_message = "The topic has its people."
  }
}

run "nobody" {
  command = plan

  variables {
    emails        = []
    phone_numbers = []
  }

  expect_failures = [aws_sns_topic.alarms]
}

run "bad_settings" {
  command = plan

  variables {
    environment   = "Not Good"
    emails        = ["nobody"]
    phone_numbers = ["0770"]
    functions     = { other = {}, load = { concurrency = 0 } }
    settings      = { SOURCE_URL = "postgres://host/db" }
    athena        = { batch_bytes_min = 0, query_bytes_max = 1 }

    log_retention_days = 31
  }

  expect_failures = [
    var.environment,
    var.emails,
    var.phone_numbers,
    var.functions,
    var.settings,
    var.athena,
    var.log_retention_days,
  ]
}

run "glue" {
  command = plan

  variables {
    glue = true
    vpc = {
      id              = "vpc-1"
      cidrs           = ["10.0.0.0/16"]
      subnet_ids      = ["subnet-1"]
      route_table_ids = ["rtb-1"]
      database_cidrs  = ["10.0.0.0/16"]
    }
  }

  assert {
    condition = alltrue([
      for name, function in module.function : lookup(function.environment, "ICEBERG_DATABASE", "") ==
      (name == "transform" ? aws_glue_catalog_database.lake["this"].name : "")
    ]) && module.function["transform"].environment.ICEBERG_CATALOGUE == "glue"
    error_message = "Transform shows the tables in Glue's database, and no other function."
  }

  assert {
    condition = alltrue(flatten([
      for name, function in module.function : [
        for statement in function.statements : name == "transform" && join(" ", statement.actions) == join(" ", local.lake_table_actions)
        if anytrue([for action in statement.actions : startswith(action, "glue:")])
      ]
    ])) && contains(local.arns.lake_tables, "arn:aws:glue:eu-west-2:${local.account}:table/totesys_testing_lake/*")
    error_message = "Transform names tables in that database, and drops none."
  }

  assert {
    condition     = keys(aws_vpc_endpoint.interface) == ["glue", "secrets"] && aws_vpc_endpoint.interface["glue"].service_name == "com.amazonaws.eu-west-2.glue"
    error_message = "In a network Glue is reached by an endpoint."
  }
}

run "glue_by_a_setting" {
  command = plan

  variables {
    settings = { ICEBERG_CATALOGUE = "glue" }
  }

  expect_failures = [var.settings]
}

run "rest_catalogue" {
  command = plan

  variables {
    rest_catalogue = {
      url       = "https://catalogue.example.com/api/catalog"
      namespace = "totesys"
      warehouse = "lake"
      cidrs     = ["10.0.0.0/16", "10.9.0.0/16"]
    }
    vpc = {
      id              = "vpc-1"
      cidrs           = ["10.0.0.0/16"]
      subnet_ids      = ["subnet-1"]
      route_table_ids = ["rtb-1"]
      database_cidrs  = ["10.0.0.0/16"]
    }
  }

  assert {
    condition = contains(keys(module.function["transform"].environment), "ICEBERG_SECRET_ID") && alltrue([
      for name, value in {
        ICEBERG_CATALOGUE      = "rest"
        ICEBERG_DATABASE       = "totesys"
        ICEBERG_REST_URL       = "https://catalogue.example.com/api/catalog"
        ICEBERG_REST_WAREHOUSE = "lake"
      } : module.function["transform"].environment[name] == value
    ]) && !contains(keys(module.function["transform"].environment), "ICEBERG_REST_SCOPE")
    error_message = "Transform knows the catalogue, and where its secret lies."
  }

  assert {
    condition = alltrue([
      for name, function in module.function :
      name == "transform" || length([for setting in keys(function.environment) : setting if startswith(setting, "ICEBERG_")]) == 0
    ])
    error_message = "No other function knows it."
  }

  assert {
    condition = alltrue([
      for name, function in local.functions : contains(function.secrets, "iceberg") == (name == "transform")
    ]) && local.functions.transform.secrets == ["iceberg"] && aws_secretsmanager_secret.settings["iceberg"].recovery_window_in_days == 0
    error_message = "Transform alone reads the catalogue's secret, which can be made again at once."
  }

  assert {
    condition     = keys(aws_vpc_security_group_egress_rule.rest_catalogue) == ["10.9.0.0/16"] && aws_vpc_security_group_egress_rule.rest_catalogue["10.9.0.0/16"].to_port == 443
    error_message = "In a network the functions reach it, by one rule for each range."
  }
}

run "rest_catalogue_at_another_port" {
  command = plan

  variables {
    rest_catalogue = {
      url       = "https://10.0.3.4:8181"
      namespace = "totesys"
      cidrs     = ["10.0.3.0/24"]
      port      = 8181
    }
    vpc = {
      id              = "vpc-1"
      cidrs           = ["10.0.0.0/16"]
      subnet_ids      = ["subnet-1"]
      route_table_ids = ["rtb-1"]
      database_cidrs  = ["10.0.0.0/16"]
    }
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.rest_catalogue["10.0.3.0/24"].from_port == 8181
    error_message = "In a network the functions reach it at its port."
  }
}

run "rest_catalogue_in_clear" {
  command = plan

  variables {
    rest_catalogue = { url = "http://catalogue.example.com", namespace = "totesys" }
  }

  expect_failures = [var.rest_catalogue]
}

run "two_catalogues" {
  command = plan

  variables {
    glue           = true
    rest_catalogue = { url = "https://catalogue.example.com", namespace = "totesys" }
  }

  expect_failures = [var.rest_catalogue]
}

run "options" {
  command = plan

  variables {
    replica_region = "eu-west-1"
    functions      = { load = { memory_mb = 4096, concurrency = 2 } }
    settings       = { DELETE_SHARE_MAX = "0.5" }
    athena         = { batch_bytes_min = 10000000000, query_bytes_max = 1000000000000 }
    github = {
      repository      = "owner/name"
      state_bucket    = "state"
      create_provider = true
    }
  }

  assert {
    condition = alltrue([
      aws_athena_workgroup.this["this"].configuration[0].bytes_scanned_cutoff_per_query == 1000000000000,
      aws_athena_workgroup.this["this"].configuration[0].enforce_workgroup_configuration,
      aws_glue_catalog_database.this["this"].name == "totesys_testing",
    ])
    error_message = "Athena's workgroup limits what a query reads, and its tables have a database."
  }

  assert {
    condition     = alltrue([for name, function in module.function : (name == "transform") == (lookup(function.environment, "TRANSFORM_ENGINE", "") == "athena")])
    error_message = "Transform uses Athena, and no other function."
  }

  assert {
    condition     = length([for rule in aws_s3_bucket_lifecycle_configuration.this["artefacts"].rule : rule if rule.id == "athena-results"]) == 1
    error_message = "Athena's results expire."
  }

  assert {
    condition     = length(aws_s3_bucket_replication_configuration.ingestion) == 1
    error_message = "A replica region makes a replica."
  }

  assert {
    condition     = length(aws_s3_bucket_policy.replica) == 1 && length(aws_s3_bucket_lifecycle_configuration.replica) == 1 && length(aws_s3_bucket_ownership_controls.replica) == 1 && length(aws_s3_bucket_object_lock_configuration.replica) == 1
    error_message = "The replica is kept as the bucket is."
  }

  assert {
    condition     = module.function["load"].concurrency == 2 && module.function["extract"].concurrency == -1
    error_message = "Concurrency is reserved for the functions that it is set for."
  }

  assert {
    condition     = alltrue([for function in module.function : function.environment.DELETE_SHARE_MAX == "0.5"])
    error_message = "Functions are given the settings."
  }

  assert {
    condition     = local.github_subjects.deploy == "repo:owner/name:environment:testing"
    error_message = "An old repository has no ids in its name."
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 1 && length(aws_iam_role.github) == 1
    error_message = "GitHub may deploy when it is told."
  }
}
