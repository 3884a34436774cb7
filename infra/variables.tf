variable "environment" {
  description = "Name of the environment: a part of every resource's name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,15}$", var.environment))
    error_message = "environment is 2 to 16 lower-case letters and digits, such as staging."
  }
}

variable "region" {
  description = "AWS region of everything but the replica."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region is the name of an AWS region, such as eu-west-2."
  }
}

variable "replica_region" {
  description = "AWS region of a second copy of the ingestion bucket; null: no copy."
  type        = string
  default     = null
}

variable "package_dir" {
  description = "Folder that `./totesys package` has built."
  type        = string
  default     = "../dist"
}

variable "emails" {
  description = "Addresses that alarms go to; each must confirm its subscription."
  type        = set(string)

  validation {
    condition     = alltrue([for email in var.emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", email))])
    error_message = "emails are addresses such as team@example.com."
  }
}

variable "phone_numbers" {
  description = "Numbers that alarms go to by SMS, in E.164 form."
  type        = set(string)

  validation {
    condition     = alltrue([for number in var.phone_numbers : can(regex("^\\+[1-9][0-9]{6,14}$", number))])
    error_message = "phone_numbers are in E.164 form, such as +447700900000."
  }
}

variable "extract_every_minutes" {
  description = "Minutes between two runs of extract."
  type        = number
  default     = 15

  validation {
    condition     = var.extract_every_minutes >= 1 && var.extract_every_minutes <= 20
    error_message = "extract_every_minutes is 1 to 20: a change must be in the warehouse within 30 minutes."
  }
}

variable "functions" {
  description = "Memory (MB), time (s), /tmp (MB) and reserved concurrent runs (-1: none) of each function, where they differ from the defaults."
  type = map(object({
    memory_mb    = optional(number)
    timeout_s    = optional(number)
    temporary_mb = optional(number)
    concurrency  = optional(number)
  }))
  default = {}

  validation {
    condition = alltrue([for size in values(var.functions) : alltrue([
      coalesce(size.memory_mb, 512) >= 256 && coalesce(size.memory_mb, 512) <= 10240,
      coalesce(size.timeout_s, 60) >= 60 && coalesce(size.timeout_s, 60) <= 900,
      coalesce(size.temporary_mb, 512) >= 512 && coalesce(size.temporary_mb, 512) <= 10240,
      coalesce(size.concurrency, 1) == -1 || coalesce(size.concurrency, 1) >= 1,
    ])])
    error_message = "memory_mb is 256 to 10240, timeout_s 60 to 900, temporary_mb 512 to 10240, concurrency 1 or more, or -1: at 0 the function would not run."
  }

  validation {
    condition     = length(setsubtract(keys(var.functions), ["extract", "transform", "load", "verify", "sweep", "dashboard"])) == 0
    error_message = "functions are extract, transform, load, verify, sweep and dashboard."
  }
}

variable "settings" {
  description = "Settings of docs/settings.md for the functions, where they differ from the defaults."
  type        = map(string)
  default     = {}

  validation {
    condition = length(setsubtract(keys(var.settings), [
      "SOURCE_SCHEMA",
      "SOURCE_CONNECTIONS",
      "SOURCE_LOCK_TIMEOUT_SECONDS",
      "SOURCE_LOCK_WAIT_SECONDS",
      "SOURCE_LOCK_YIELD_SECONDS",
      "SOURCE_CLOCK_SKEW_MINUTES_MAX",
      "DELETE_SHARE_MAX",
      "QUARANTINE_ROWS_MAX",
      "COMPACTION_BYTES_MAX",
      "COMPACTION_SECONDS_MAX",
      "ICEBERG_CATALOGUE",
      "DUCKDB_MEMORY_LIMIT",
      "DUCKDB_THREADS",
    ])) == 0
    error_message = "settings are SOURCE_SCHEMA, SOURCE_CONNECTIONS, SOURCE_LOCK_TIMEOUT_SECONDS, SOURCE_LOCK_WAIT_SECONDS, SOURCE_LOCK_YIELD_SECONDS, SOURCE_CLOCK_SKEW_MINUTES_MAX, DELETE_SHARE_MAX, QUARANTINE_ROWS_MAX, COMPACTION_BYTES_MAX, COMPACTION_SECONDS_MAX, ICEBERG_CATALOGUE, DUCKDB_MEMORY_LIMIT and DUCKDB_THREADS; a secret is none of them."
  }

  validation {
    condition     = lookup(var.settings, "ICEBERG_CATALOGUE", "zone") == "zone"
    error_message = "ICEBERG_CATALOGUE is zone here: glue = true and rest_catalogue name the tables in a catalogue, and give transform the rights."
  }
}

variable "glue" {
  description = "Whether the Glue Data Catalog names the lake's Iceberg tables to Athena and other engines."
  type        = bool
  default     = false
}

variable "rest_catalogue" {
  description = "An Iceberg REST catalogue that names the lake's tables to other engines; null: none."
  type = object({
    # Where its API begins, as far as /v1.
    url = string
    # The namespace of the tables, a.b for one within another; it exists.
    namespace = string
    # Which of the server's catalogues it is, if it has several.
    warehouse = optional(string)
    # Where OAuth 2 gives a token, if not at the catalogue itself, and its scope.
    token_url = optional(string)
    scope     = optional(string)
    # With vpc: address ranges of the catalogue, and of token_url, unless both
    # are in the network at port 443.
    cidrs = optional(set(string), [])
    port  = optional(number, 443)
  })
  default = null

  # Its secret is sent there.
  validation {
    condition     = alltrue([for url in [try(var.rest_catalogue.url, null), try(var.rest_catalogue.token_url, null)] : url == null || can(regex("^https://[^@?#]+$", url))])
    error_message = "rest_catalogue.url and token_url begin with https://, and have no user and no query."
  }

  validation {
    condition     = var.rest_catalogue == null || !var.glue
    error_message = "rest_catalogue and glue are not both set: one catalogue names the tables."
  }
}

variable "athena" {
  description = "Amazon Athena for the models of batches of at least batch_bytes_min bytes of CSV, which stops a query that reads more than query_bytes_max bytes; null: DuckDB makes all."
  type = object({
    batch_bytes_min = number
    query_bytes_max = number
  })
  default = null

  validation {
    condition     = try(var.athena.batch_bytes_min, 0) >= 0 && try(var.athena.query_bytes_max, 10485760) >= 10485760
    error_message = "athena.query_bytes_max is 10485760 or more, the least that AWS takes, and batch_bytes_min 0 or more."
  }
}

variable "dashboard" {
  description = "Whether the dashboard is served at a URL, to holders of its token."
  type        = bool
  default     = false
}

variable "vpc" {
  description = "Network that the functions run in, to reach databases that have no public address; null: none."
  type = object({
    id = string
    # All address ranges of the network.
    cidrs          = set(string)
    subnet_ids     = list(string)
    database_cidrs = list(string)
    # The port that the databases listen on.
    database_port = optional(number, 5432)
    # Groups of the databases, into which the functions are admitted; without
    # them their owner admits the output functions_security_group.
    database_security_group_ids = optional(set(string), [])
    # Where S3's gateway is entered.
    route_table_ids = optional(list(string), [])
    # false where the network has that endpoint already.
    create_endpoints = optional(object({
      s3      = optional(bool, true)
      secrets = optional(bool, true)
      athena  = optional(bool, true)
      glue    = optional(bool, true)
    }), {})
  })
  default = null

  validation {
    condition     = var.vpc == null || length(try(var.vpc.route_table_ids, [])) > 0 || !try(var.vpc.create_endpoints.s3, true)
    error_message = "vpc.route_table_ids names at least one route table, of the subnets, unless vpc.create_endpoints.s3 is false."
  }
}

variable "warehouse" {
  description = "A warehouse in Amazon RDS, in the network that vpc names; null: it exists elsewhere."
  type = object({
    # PostgreSQL's major version.
    version        = optional(string, "17")
    instance_class = string
    storage_gb     = number
    # It grows by itself up to this.
    storage_gb_max = number
    # A standby in another zone doubles the price.
    multi_az    = bool
    backup_days = optional(number, 7)
    # Address ranges of analysts, their tools, and who administers it.
    reader_cidrs        = set(string)
    deletion_protection = optional(bool, true)
  })
  default = null

  validation {
    condition     = var.warehouse == null || length(try(var.vpc.subnet_ids, [])) >= 2
    error_message = "warehouse needs vpc with two subnets at least, in different zones."
  }

  # RDS names families of parameters by it.
  validation {
    condition     = can(regex("^[0-9]+$", try(var.warehouse.version, "17")))
    error_message = "warehouse.version is a major version, such as 17: RDS keeps the minor one up to date."
  }

  validation {
    condition     = try(var.warehouse.storage_gb, 20) >= 20 && try(var.warehouse.storage_gb_max, 22) >= try(var.warehouse.storage_gb, 20) * 1.1
    error_message = "warehouse.storage_gb is 20 or more, and storage_gb_max a tenth more than that at least."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096], var.log_retention_days)
    error_message = "log_retention_days is a number of days that CloudWatch knows, such as 30, 90 or 365."
  }
}

variable "monthly_budget_usd" {
  description = "Monthly costs, in US dollars, that set off an alarm when forecast or exceeded."
  type        = number
}

variable "github" {
  description = "GitHub repository (owner/name) whose deployments to the environment of this name may apply; null: none."
  type = object({
    repository = string
    # As `gh api repos/OWNER/NAME --jq '.owner.id, .id'` shows them; null for a
    # repository from before July 2026 that was not renamed or moved since.
    owner_id      = optional(number)
    repository_id = optional(number)
    # The bucket of Terraform's state, as in the .tfbackend.
    state_bucket = string
    # An account has one provider: its first environment creates it.
    create_provider = bool
  })
  default = null

  validation {
    condition     = var.github == null || can(regex("^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", var.github.repository))
    error_message = "github.repository is owner/name, as in the repository's URL."
  }

  validation {
    condition     = var.github == null || (try(var.github.owner_id, null) == null) == (try(var.github.repository_id, null) == null)
    error_message = "github has both owner_id and repository_id, or neither."
  }
}
