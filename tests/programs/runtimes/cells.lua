-- Three handles, and one way in which each may end: `lua cells.lua CELL`. See tests/e2e/runtimes.
local env = require("luasql.sqlite3").sqlite3()

local COUNT = 3
local cells = {}
kept = {}

function cells.kept()
  kept[#kept + 1] = env:connect(":memory:") -- site: kept
end

function cells.collected()
  local db = env:connect(":memory:") -- site: collected
  db:execute("select 1"):close()
  db = nil
  collectgarbage()
end

function cells.closed()
  local db = env:connect(":memory:") -- site: closed
  db:execute("select 1"):close()
  db:close()
end

-- Lua has no functions that run at exit: a table with a finalizer is how code does it.
function cells.closed_at_exit()
  local db = env:connect(":memory:") -- site: closed_at_exit
  local finalizer = {__gc = function() db:close() end}
  if newproxy then
    local proxy = newproxy(true)
    getmetatable(proxy).__gc = finalizer.__gc
    kept[#kept + 1] = proxy
  else
    kept[#kept + 1] = setmetatable({}, finalizer)
  end
end

function cells.early_return()
  local db = env:connect(":memory:") -- site: early_return
  if os.getenv("HOME") then return end
  db:close()
end

local function throws()
  local db = env:connect(":memory:") -- site: exception
  error("on the way")
  db:close()
end

function cells.exception()
  pcall(throws)
end

function cells.runtime_end()
  local holder = {db = env:connect(":memory:")} -- site: runtime_end
  holder.self = holder
end

function cells.killed()
  kept[#kept + 1] = env:connect(":memory:") -- site: killed
  if #kept == COUNT then os.execute("kill -9 $PPID") end
end

-- Not all bindings have __close yet; it is the finalizer of those that have.
function cells.scope_end()
  load([[
    local open = ...
    local db <close> = open()
    return db and 1
  ]])(function()
    local db = env:connect(":memory:") -- site: scope_end
    local metatable = debug.getmetatable(db)
    metatable.__close = metatable.__gc
    return db
  end)
end

if arg[1] ~= "collected" then collectgarbage("stop") end
for _ = 1, COUNT do cells[arg[1]]() end
