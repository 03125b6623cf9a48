-- Counts a request body as it passes and ends the request once it is longer than allowed.
-- A Content-Length over the limit was refused before; this is for bodies without one (chunked, HTTP/2).
local BodyLimit = {}
BodyLimit.id = "slipway body limit"
BodyLimit.flags = filter.FLT_CFG_FL_HTX
BodyLimit.__index = BodyLimit

function BodyLimit:new()
    local filter_of_stream = { seen = 0 }
    setmetatable(filter_of_stream, BodyLimit)
    return filter_of_stream
end

function BodyLimit:start_analyze(txn, channel)
    if not channel:is_resp() then
        filter.register_data_filter(self, channel)
    end
end

function BodyLimit:http_payload(txn, message)
    local ahead = message:input()
    self.seen = self.seen + ahead
    if self.seen > BodyLimit.limit then
        -- In HAProxy 2.6 only an error stops the stream here; the response leaves as a 413.
        txn:set_var("txn.body_over_limit", true)
        error("request body over the limit")
    end
end

core.register_filter("body_limit", BodyLimit, function(filter_class, args)
    BodyLimit.limit = tonumber(args[1])
    return filter_class
end)
