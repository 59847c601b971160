// An echo server as the examples of WebSocket++ show it, with finwait's control
// contract (docs/contract.md).
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <websocketpp/config/asio_no_tls.hpp>
#include <websocketpp/server.hpp>
#include <websocketpp/utf8_validator.hpp>

using server = websocketpp::server<websocketpp::config::asio>;
using websocketpp::connection_hdl;
namespace close_status = websocketpp::close::status;

server endpoint;
std::set<connection_hdl, std::owner_less<connection_hdl>> connections;
std::map<std::string, std::string> events; // by token: the elements of a JSON array

std::string now() {
    timespec t;
    char day[32], at[48];
    clock_gettime(CLOCK_REALTIME, &t);
    strftime(day, sizeof day, "%FT%T", gmtime(&t.tv_sec));
    snprintf(at, sizeof at, "%s.%03ldZ", day, t.tv_nsec / 1000000);
    return at;
}

std::string quoted(std::string const& s) {
    std::string out = "\"";
    bool valid = websocketpp::utf8_validator::validate(s); // a reason need not be UTF-8
    for (unsigned char c : s) {
        char u[8];
        snprintf(u, sizeof u, "\\u%04x", c < 0x80 ? c : 0xfffd);
        out += c < 0x20 || c == '"' || c == '\\' || (c >= 0x80 && !valid) ? std::string(u) : std::string(1, c);
    }
    return out + "\"";
}

std::string query(server::connection_ptr const& con, std::string const& name) {
    std::istringstream parts(con->get_uri()->get_query());
    for (std::string part; std::getline(parts, part, '&');) {
        if (part.compare(0, name.size() + 1, name + "=") != 0) continue;
        std::string value;
        for (size_t i = name.size() + 1; i < part.size(); i++) {
            if (part[i] == '%' && i + 2 < part.size()) value += char(std::stoi(part.substr(i + 1, 2), nullptr, 16)), i += 2;
            else value += part[i] == '+' ? ' ' : part[i];
        }
        return value;
    }
    return "";
}

// The library's close has no default code; its examples say normal.
void close(connection_hdl hdl, int code, std::string const& reason) {
    websocketpp::lib::error_code ec;
    endpoint.close(hdl, code, reason, ec);
    if (ec) std::cerr << "close: " << ec.message() << std::endl;
}

void obey(connection_hdl hdl, std::string const& line) {
    auto con = endpoint.get_con_from_hdl(hdl);
    std::istringstream args(line);
    std::string name, token, reason;
    args >> name;
    if (name == "hello") {
        con->send("finwait:v1 close terminate fill kick-all events");
    } else if (name == "close" || name == "kick-all") {
        int code;
        if (args >> code) std::getline(args >> std::ws, reason);
        else code = close_status::normal;
        if (name == "close") close(hdl, code, reason);
        else for (auto const& each : connections) close(each, code, reason);
    } else if (name == "terminate") {
        con->get_raw_socket().close(); // connection::terminate is "for internal/policy use only"
    } else if (name == "fill") {
        size_t left = 0;
        for (args >> left; left > 0;) {
            size_t n = std::min<size_t>(left, 65536);
            con->send(std::string(n, 'f'));
            left -= n;
        }
    } else if (name == "events") {
        args >> token;
        con->send("[" + events[token] + "]");
    }
}

int main() {
    endpoint.clear_access_channels(websocketpp::log::alevel::all);
    endpoint.init_asio();
    endpoint.set_reuse_addr(true);

    endpoint.set_open_handler([](connection_hdl hdl) {
        connections.insert(hdl);
        auto con = endpoint.get_con_from_hdl(hdl);
        std::string open = query(con, "finwait-open");
        if (open.empty()) return;
        con->send("finwait:opened");
        obey(hdl, open);
    });
    endpoint.set_message_handler([](connection_hdl hdl, server::message_ptr message) {
        std::string const& text = message->get_payload();
        bool command = message->get_opcode() == websocketpp::frame::opcode::text && text.compare(0, 8, "finwait:") == 0;
        try {
            if (command) obey(hdl, text.substr(8));
            else endpoint.send(hdl, text, message->get_opcode());
        } catch (websocketpp::exception const& e) {
            std::cerr << e.what() << std::endl;
        }
    });
    endpoint.set_close_handler([](connection_hdl hdl) {
        connections.erase(hdl);
        auto con = endpoint.get_con_from_hdl(hdl);
        std::string token = query(con, "finwait");
        if (token.empty()) return;
        std::string event = "{\"code\":" + std::to_string(con->get_remote_close_code()) +
            ",\"reason\":" + quoted(con->get_remote_close_reason()) + ",\"clean\":null,\"at\":" + quoted(now());
        if (con->get_ec()) event += ",\"error\":" + quoted(con->get_ec().message());
        std::string& all = events[token];
        all += (all.empty() ? "" : ",") + event + "}";
    });

    endpoint.listen("127.0.0.1", getenv("PORT"));
    endpoint.start_accept();
    std::cout << "listening 127.0.0.1:" << getenv("PORT") << std::endl;
    endpoint.run();
}
