-- It asks the session server whether a request may pass, and whose it is.
local sessions = "http://127.0.0.1:8080/auth?redirect"
local identity = { "remote-user", "remote-user-id", "remote-session", "remote-session-expires" }
local asked = { "cookie", "accept", "accept-language", "sec-fetch-mode", "x-requested-with", "user-agent" }

core.register_action("session", { "http-req" }, function(txn)
	local came = txn.http:req_get_headers()
	local headers = {}
	for _, name in ipairs(asked) do
		if came[name] then
			headers[name] = {}
			for i, value in pairs(came[name]) do headers[name][i + 1] = value end
		end
	end
	headers["x-forwarded-method"] = { txn.f:method() }
	headers["x-forwarded-proto"] = { txn.f:ssl_fc() == 1 and "https" or "http" }
	headers["x-forwarded-host"] = { txn.f:req_fhdr("host") }
	headers["x-forwarded-uri"] = { txn.f:pathq() }
	headers["x-forwarded-for"] = { txn.f:src() }

	local answer = core.httpclient():get { url = sessions, headers = headers, timeout = 5000 }
	if answer.status == 200 then
		for _, name in ipairs(identity) do
			if answer.headers[name] then txn.http:req_set_header(name, answer.headers[name][0]) end
		end
		if answer.headers["set-cookie"] then txn:set_var("txn.session_cookie", answer.headers["set-cookie"][0]) end
		return
	end
	-- Not answered is closed: nobody passes unasked.
	local status = answer.status
	if not status or status < 300 then status = 503 end
	local reply = txn:reply { status = status, body = answer.body or "" }
	for name, values in pairs(answer.headers or {}) do
		if name ~= "content-length" and name ~= "transfer-encoding" and name ~= "connection" then
			for _, value in pairs(values) do reply:add_header(name, value) end
		end
	end
	txn:done(reply)
end)
