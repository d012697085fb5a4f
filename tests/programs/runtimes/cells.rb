# Three handles, and one way in which each may end: `ruby cells.rb CELL`. See tests/e2e/runtimes.
require 'sqlite3'

COUNT = 3
$kept = []

def kept
  $kept << SQLite3::Database.new(':memory:') # site: kept
end

def drop
  db = SQLite3::Database.new(':memory:') # site: collected
  db.execute('select 1')
  nil
end

# What this stack held before is overwritten: the collector takes what looks like an object for one.
def sweep(depth = 50)
  a = b = c = d = e = f = nil
  return sweep(depth - 1) if depth > 0
  [a, b, c, d, e, f]
end

def collected
  Thread.new { drop }.join
  sweep
  GC.start
end

def closed
  db = SQLite3::Database.new(':memory:') # site: closed
  db.execute('select 1')
  db.close
end

def closed_at_exit
  db = SQLite3::Database.new(':memory:') # site: closed_at_exit
  at_exit { db.close }
end

def early_return
  db = SQLite3::Database.new(':memory:') # site: early_return
  return if ENV['HOME']
  db.close
end

def throws
  db = SQLite3::Database.new(':memory:') # site: exception
  raise 'on the way'
  db.close
end

def exception
  throws
rescue RuntimeError
  nil
end

def ensured
  db = SQLite3::Database.new(':memory:') # site: ensured
  raise 'on the way'
rescue RuntimeError
  nil
ensure
  db.close
end

def runtime_end
  SQLite3::Database.new(':memory:') # site: runtime_end
end

def killed
  $kept << SQLite3::Database.new(':memory:') # site: killed
  Process.kill(:KILL, Process.pid) if $kept.size == COUNT
end

GC.disable unless ARGV[0] == 'collected'
COUNT.times { send(ARGV[0]) }
# One that the end of the stack still points to would be found at the end only.
GC.start if ARGV[0] == 'collected'
