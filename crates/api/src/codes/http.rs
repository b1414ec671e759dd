//! Requests that never reached a use-case, and who sent them.

use super::info::codes;

codes! {
    unauthenticated(401) "Nobody said who is asking" {
        "The request has no bearer token, or something that is no token."
        next "Send `Authorization: Bearer TOKEN`; `dogwatch token create` makes one."
    }
    token_malformed "The token cannot be one" {
        "The token is empty, or holds something other than printable ASCII. Nothing was sent."
        next "Copy the token again, without line ends; `dogwatch token create` makes a new one."
    }
    token_unknown(401) "The token is not known" {
        "The token was never issued by this server."
        next "Check that it is the token of this server; `dogwatch token create` makes a new one."
    }
    token_expired(401) "The token has expired" {
        "The token's time is over."
        next "Make a new one with `dogwatch token create`."
    }
    token_revoked(401) "The token was revoked" {
        "Someone took the token back. Streams it had opened were closed."
        next "Ask who administers the server; `dogwatch token list` shows when it was revoked."
    }
    token_not_found(404) "There is no such token" {
        "No token has this id."
        next "List what there is with `dogwatch token list`."
    }
    token_exists(409) "The token exists already" {
        "A token with this id was made before."
        next "Look at it with `dogwatch token list`."
    }
    scope_missing(403) "The token may not do this" {
        "The token is valid and lacks the scope that this request needs."
        next "Use a token with the scope that the message names."
    }
    project_forbidden(403) "The token is for other projects" {
        "The token is valid and bound to projects that this one is not among."
        next "Use a token for the project."
    }
    host_forbidden(403) "The Host header names another host" {
        "The request was sent to a name that this server does not answer to, as a web page does that rebinds its name to a local address."
        next "Use the address that `dogwatch status` prints; other names have to be configured."
    }
    origin_forbidden(403) "The request comes from a foreign web page" {
        "The Origin header names a site that this server does not serve. Localhost is not trusted by itself."
        next "Use the API from a program, or from the server's own pages."
    }
    content_type_unsupported(415) "The body is not JSON" {
        "A request with a body must say `Content-Type: application/json`; others are refused, as web pages can send them unasked."
        next "Send JSON and say so."
    }
    method_not_allowed(405) "The route has no such method" {
        "The path exists, and not with this method."
        next "Look at the routes in `/v1/openapi.json`."
    }
    route_not_found(404) "There is no such route" {
        "No route of this server has this path."
        next "Look at the routes in `/v1/openapi.json`."
    }
    body_too_large(413) "The body is too large" {
        "The body is larger than this route takes. It was not read to its end."
        next "Send less; large files go to `/v1/blobs`."
    }
    headers_too_large(431) "The headers are too large" {
        "The headers of the request are larger than is read."
        next "Send fewer or shorter headers."
    }
    json_invalid(400) "The body is not JSON" {
        "The body cannot be parsed as JSON. The message names line and column."
        next "Mend the syntax at the place that is named."
    }
    json_too_deep(400) "The JSON is nested too deeply" {
        "Arrays and objects of the body are nested deeper than is read."
        next "Send a flatter document."
    }
    request_invalid(400) "The request is not one of this route" {
        "The body, the path or the query lacks a field, has one that is not known, or a value that is not allowed."
        next "Compare it with the route in `/v1/openapi.json`."
    }
    request_timeout(503) "The request took too long" {
        "The server did not come to an answer within the time that is allowed. A change may have been made all the same."
        next "Look whether it was done, or send the same request again with the same Idempotency-Key."
    }
    request_malformed(400) "The request is no HTTP" {
        "What was sent cannot be read as an HTTP/1.1 request."
        next "Send a well-formed HTTP/1.1 request."
    }
    headers_timeout(408) "The headers did not arrive in time" {
        "The headers of the request were not sent to their end within the time that is allowed."
        next "Send the whole request at once."
    }
    url_too_long(414) "The address is too long" {
        "The path and query of the request are longer than is read."
        next "Send long values in the body."
    }
    target_invalid(400) "The request line names a server" {
        "The request line has a whole address or something else that is no path."
        next "Name the path alone in the request line, and the server in `Host`."
    }
    host_invalid(400) "The Host header is missing or wrong" {
        "A request must have exactly one Host header that names a host."
        next "Send exactly one `Host` header."
    }
    cross_site_forbidden(403) "A foreign web page sent the request" {
        "The browser says that the request comes from another site. Localhost is not trusted by itself."
        next "Use the API from a program, or from the server's own pages."
    }
    path_invalid(400) "The path has no valid id" {
        "A part of the path is not what the route expects there."
        next "Send the id as it was printed."
    }
    query_invalid(400) "The query is wrong" {
        "The query has a parameter that the route does not know, or a value that is not allowed."
        next "Look at the parameters of the route in `/v1/openapi.json`."
    }
    header_invalid(400) "A header is wrong" {
        "A header that the route reads has a value that is not allowed."
        next "Look at the headers of the route in `/v1/openapi.json`."
    }
    content_encoding_unsupported(415) "The body is compressed" {
        "The body has a Content-Encoding, and the server unpacks nothing."
        next "Send the body as it is, without compression."
    }
    body_not_expected(400) "The route takes no body" {
        "The request has a body, and the route reads none."
        next "Send the request without a body."
    }
    body_timeout(408) "The body did not arrive in time" {
        "The body was sent with pauses longer than is allowed, so the server stopped waiting for it."
        next "Send the body without long pauses."
    }
    body_unreadable(400) "The body ended too early" {
        "The connection broke or ended before as many bytes had arrived as were announced."
        next "Send as many bytes as were announced."
    }
    not_ready(503) "The server is not ready yet" {
        "The server is starting, or its database does not answer at the moment."
        next "Wait and try again; `/readyz` says when."
    }
    internal_error(500) "The server failed" {
        "A defect of dogwatch. What it was stands in the server's log and not in the answer."
        next "Look for the request's id in `<data>/logs/error.jsonl`, and report the defect."
    }
    protocol_too_old(400) "The runner is too old" {
        "The runner speaks a version of the protocol that this server does not accept any more."
        next "Bring the runner up to the version of the server."
    }
    too_many_requests(429) "Too many requests at once" {
        "The server has more requests or streams open than it serves at a time."
        next "Wait as long as the Retry-After header says, then send it again."
    }
}
