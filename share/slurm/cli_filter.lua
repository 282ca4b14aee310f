-- cli_filter of Slurm: a wrong request for containers is refused when it is submitted (sbatch, srun, salloc), by the site's
-- policy (site.yaml) and in the words in which the job would be refused when it starts. slurm.conf: CliFilterPlugins=lua.
--
-- A line of /etc/slurm/cli_filter.lua loads this file (docs/slurm.md), after all functions that stand there already:
--   pcall(dofile, "/opt/hpc-submit-dockerjob/lib/node_modules/hpc-submit-dockerjob/share/slurm/cli_filter.lua")
-- Those are called first, and as before.
--
-- It runs as the submitting user, who can go round it: the helper judges again when the job starts. So whatever fails here
-- lets the job through. Of a job that asks for no container a few words are compared, and no process is started.

local own_name = "hpc[-_]submit[-_]dockerjob"
local usual_package = "/opt/hpc-submit-dockerjob/lib/node_modules/hpc-submit-dockerjob"

-- A value of Slurm's own options as text; nil where it is not set, or there is no such option.
local function option(options, name)
  local ok, value = pcall(function() return options[name] end)
  if not ok or value == nil or type(value) == "table" then return nil end
  value = tostring(value)
  if value == "" or value == "unset" or value == "invalid-context" or value == "Unknown" then return nil end
  return value
end

-- The command, or the script with its arguments.
local function words_of(options)
  local words = {}
  local ok, argv = pcall(function() return options["argv"] end)
  if ok and type(argv) == "table" then
    for _, word in ipairs(argv) do words[#words + 1] = tostring(word) end
  end
  return words
end

local function is_set(name)
  local value = os.getenv(name)
  return value ~= nil and value ~= ""
end

-- "surely" when environment or options ask for a container, "perhaps" for a variable that other programs know as well. A task
-- of a job that runs is judged by its own start.
local function asks_for_container(options, words)
  local kind = option(options, "type")
  if kind ~= "sbatch" and kind ~= "srun" and kind ~= "salloc" then return nil end
  if kind == "srun" and is_set("SLURM_JOB_ID") then return nil end
  local export = option(options, "export") or ""
  if is_set("HPCDJ_IMAGE") or export:find("HPCDJ_IMAGE=", 1, true) then return "surely" end
  local command = option(options, "wrap") or (kind ~= "sbatch" and words[1]) or ""
  if command:find(own_name) then return "surely" end
  if is_set("APPLICATION") or export:find("APPLICATION=", 1, true) then return "perhaps" end
  return nil
end

local function is_file(path)
  local file = io.open(path, "r")
  if file then file:close() end
  return file ~= nil
end

local function find_program()
  local source = debug.getinfo(1, "S").source
  local package = source:match("^@(/.*)/share/slurm/[^/]*$")
  if package and is_file(package .. "/bin/hpc-submit-dockerjob") then return package .. "/bin/hpc-submit-dockerjob" end
  local usual = usual_package .. "/bin/hpc-submit-dockerjob"
  return is_file(usual) and usual or nil
end

local program = find_program()

-- A word that no shell looks into.
local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function command_line(options, offset, words)
  -- A file system that hangs must not hold sbatch for ever; the script on standard input is sbatch's.
  local parts = { "exec /usr/bin/timeout --foreground --kill-after=2 20", quote(program), "cli-filter" }
  local function add(name, value)
    if value then parts[#parts + 1] = quote("--" .. name .. "=" .. value) end
  end
  add("kind", option(options, "type"))
  add("export", option(options, "export"))
  add("export-file", option(options, "export-file"))
  add("chdir", option(options, "chdir"))
  add("nodes", option(options, "nodes"))
  add("tasks", option(options, "ntasks"))
  add("partition", option(options, "partition"))
  add("uid", option(options, "uid"))
  add("gid", option(options, "gid"))
  add("wrap", option(options, "wrap"))
  add("component", tostring(offset or 0))
  if option(options, "dependency") or option(options, "begin") then parts[#parts + 1] = "--waits" end
  parts[#parts + 1] = "--"
  for _, word in ipairs(words) do parts[#parts + 1] = quote(word) end
  parts[#parts + 1] = "</dev/null"
  return table.concat(parts, " ")
end

local function note(text)
  io.stderr:write("hpc-submit-dockerjob: note: the request is judged when the job starts, not now: ", text, "\n")
end

-- False when the job is refused; the program has said why.
local function judge(options, offset)
  local words = words_of(options)
  local asks = asks_for_container(options, words)
  if not asks then return true end
  -- Not installed here.
  if not program then return true end
  local line = command_line(options, offset, words)
  -- The kernel takes no longer word. What is longer than this is refused when the job starts.
  if #line > 120000 then
    note("it is too long to be handed on.")
    return true
  end
  local pipe = io.popen(line, "r")
  local verdict = pipe and pipe:read("*l")
  if pipe then pipe:close() end
  if verdict == "refused" then return false end
  if verdict ~= "passed" and asks == "surely" then note("the program that judges it did not answer.") end
  return true
end

local site_defaults, site_pre_submit, site_post_submit =
  slurm_cli_setup_defaults, slurm_cli_pre_submit, slurm_cli_post_submit

function slurm_cli_setup_defaults(options, early)
  if site_defaults then return site_defaults(options, early) end
  return slurm.SUCCESS
end

function slurm_cli_pre_submit(options, offset)
  if site_pre_submit then
    local status = site_pre_submit(options, offset)
    if status ~= slurm.SUCCESS then return status end
  end
  local ok, allowed = pcall(judge, options, offset)
  if ok and not allowed then return slurm.ERROR end
  return slurm.SUCCESS
end

function slurm_cli_post_submit(offset, job_id, step_id)
  if site_post_submit then return site_post_submit(offset, job_id, step_id) end
  return slurm.SUCCESS
end
