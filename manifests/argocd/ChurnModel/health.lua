-- What Argo CD shows of a ChurnModel. A condition speaks of a generation: one of an older spec says
-- nothing about what was applied now.
local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

local function is_true(type)
  return conditions[type] ~= nil and conditions[type].status == "True"
end

local function health(word, condition, otherwise)
  local message = otherwise
  if condition ~= nil then
    message = condition.reason
    if condition.message ~= nil and condition.message ~= "" then
      message = condition.reason .. ": " .. condition.message
    end
  end
  return { status = word, message = message }
end

if obj.metadata.deletionTimestamp ~= nil then
  return health("Progressing", nil, "being deleted")
end
if obj.metadata.generation ~= status.observedGeneration then
  return health("Progressing", nil, "the controller has not seen this generation yet")
end
if is_true("Stalled") then
  return health("Degraded", conditions.Stalled)
end
if obj.spec.suspend == true then
  return health("Suspended", nil, "spec.suspend is true")
end
if is_true("Ready") then
  return health("Healthy", conditions.Ready)
end
return health("Progressing", conditions.Reconciling or conditions.Ready, "waiting for the controller")
