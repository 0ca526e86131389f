require "active_record"
require_relative "acting"

ActiveRecord::Base.establish_connection(
  adapter: "postgresql", host: ENV["PGHOST"], port: ENV["PGPORT"], username: ENV["PGUSER"], database: ENV["PGDATABASE"],
  prepared_statements: !ENV["POOLER"]
)

class Customer < ActiveRecord::Base
  self.table_name = "billing.customer"
end

def refused
  yield
  puts "not refused"
rescue ActiveRecord::StatementInvalid => error
  result = error.cause.result
  puts [PG::Result::PG_DIAG_SQLSTATE, PG::Result::PG_DIAG_MESSAGE_HINT].map { |field| result.error_field(field) }.join(" ")
rescue RuntimeError => error
  puts error.message
end

def update
  Customer.find(7).update!(balance: 1)
end

# EXAMPLE
refused { acting(nil) { update } }
refused { acting("bob") { update } }
refused { acting("bob", reason: "x") { update; raise "changed my mind" } }
refused { update }
