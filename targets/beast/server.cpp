// An asynchronous echo server as the examples of Boost.Beast show it, with
// finwait's control contract (docs/contract.md).
#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <ctime>
#include <deque>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>

namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using tcp = boost::asio::ip::tcp;
using beast::error_code;

class session;
std::set<session*> sessions;               // those that are open
std::map<std::string, std::string> events; // by token: the elements of a JSON array

std::string now() {
    timespec t;
    char day[32], at[48];
    clock_gettime(CLOCK_REALTIME, &t);
    strftime(day, sizeof day, "%FT%T", gmtime(&t.tv_sec));
    snprintf(at, sizeof at, "%s.%03ldZ", day, t.tv_nsec / 1000000);
    return at;
}

std::string quoted(beast::string_view s) {
    std::string out = "\"";
    for (unsigned char c : s) {
        char u[8];
        snprintf(u, sizeof u, "\\u%04x", c);
        out += c < 0x20 || c == '"' || c == '\\' ? std::string(u) : std::string(1, c);
    }
    return out + "\"";
}

std::string query(beast::string_view target, std::string const& name) {
    auto mark = target.find('?');
    std::istringstream parts(mark == target.npos ? "" : target.substr(mark + 1).to_string());
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

class session : public std::enable_shared_from_this<session> {
    struct message { std::string text; bool binary; };
    websocket::stream<beast::tcp_stream> ws;
    beast::flat_buffer buffer;
    http::request<http::string_body> request;
    std::string token;
    std::deque<message> queue; // Beast wants one async_write at a time
    size_t fill = 0;           // bytes to send after the queue
    bool closing = false, close_sent = false;
    websocket::close_reason reason;

public:
    explicit session(tcp::socket&& socket) : ws(std::move(socket)) {}
    ~session() { sessions.erase(this); }

    void run() {
        beast::get_lowest_layer(ws).expires_after(std::chrono::seconds(30));
        http::async_read(ws.next_layer(), buffer, request, beast::bind_front_handler(&session::on_request, shared_from_this()));
    }

private:
    void on_request(error_code ec, size_t) {
        if (ec) return;
        beast::get_lowest_layer(ws).expires_never();
        ws.set_option(websocket::stream_base::timeout::suggested(beast::role_type::server));
        ws.async_accept(request, beast::bind_front_handler(&session::on_accept, shared_from_this()));
    }

    void on_accept(error_code ec) {
        if (ec) return;
        sessions.insert(this);
        token = query(request.target(), "finwait");
        std::string open = query(request.target(), "finwait-open");
        if (!open.empty()) {
            send("finwait:opened");
            obey(open);
        }
        read();
    }

    void read() {
        ws.async_read(buffer, beast::bind_front_handler(&session::on_read, shared_from_this()));
    }

    void on_read(error_code ec, size_t) {
        if (ec) return on_end(ec);
        std::string text = beast::buffers_to_string(buffer.data());
        buffer.consume(buffer.size());
        if (ws.got_text() && text.compare(0, 8, "finwait:") == 0) {
            try {
                obey(text.substr(8));
            } catch (std::exception const& e) {
                std::cerr << e.what() << std::endl;
            }
        } else send(text, ws.got_binary());
        read();
    }

    // A close is what async_read tells; it knows a code only where the error is closed.
    void on_end(error_code ec) {
        sessions.erase(this);
        if (token.empty()) return;
        std::string& all = events[token];
        if (!all.empty()) all += ",";
        if (ec == websocket::error::closed)
            all += "{\"code\":" + std::to_string(ws.reason().code) + ",\"reason\":" + quoted(ws.reason().reason.c_str());
        else
            all += "{\"code\":null,\"reason\":null,\"error\":" + quoted(ec.message());
        all += ",\"clean\":null,\"at\":" + quoted(now()) + "}";
    }

    void obey(std::string const& line) {
        std::istringstream args(line);
        std::string name, arg;
        args >> name;
        if (name == "hello") {
            send("finwait:v1 close terminate fill kick-all events");
        } else if (name == "close" || name == "kick-all") {
            websocket::close_reason why(websocket::close_code::none);
            if (args >> why.code) {
                std::getline(args >> std::ws, arg);
                why.reason = arg;
            }
            if (name == "close") close(why);
            else for (auto each : std::set<session*>(sessions)) each->close(why);
        } else if (name == "terminate") {
            beast::get_lowest_layer(ws).close();
        } else if (name == "fill") {
            args >> fill;
            if (queue.empty()) write();
        } else if (name == "events") {
            args >> arg;
            send("[" + events[arg] + "]");
        }
    }

    void send(std::string text, bool binary = false) {
        if (closing) return;
        queue.push_back({std::move(text), binary});
        if (queue.size() == 1) write();
    }

    // Beast sends its Close after the async_write that is under way; what else is
    // queued goes out before, but not the rest of a fill.
    void close(websocket::close_reason const& why) {
        if (closing) return;
        closing = true;
        fill = 0;
        reason = why;
        if (queue.size() < 2) send_close();
    }

    void send_close() {
        close_sent = true;
        ws.async_close(reason, [self = shared_from_this()](error_code ec) {
            if (ec) std::cerr << "async_close: " << ec.message() << std::endl;
        });
    }

    void write() {
        if (queue.empty() && fill > 0) {
            queue.push_back({std::string(std::min<size_t>(fill, 65536), 'f'), false});
            fill -= queue.front().text.size();
        }
        if (queue.empty()) return;
        ws.binary(queue.front().binary);
        ws.async_write(boost::asio::buffer(queue.front().text), beast::bind_front_handler(&session::on_write, shared_from_this()));
    }

    void on_write(error_code ec, size_t) {
        queue.pop_front();
        if (ec) return;
        write();
        if (closing && !close_sent && queue.size() < 2) send_close();
    }
};

void accept(tcp::acceptor& acceptor) {
    acceptor.async_accept([&acceptor](error_code ec, tcp::socket socket) {
        if (ec) std::cerr << "accept: " << ec.message() << std::endl;
        else std::make_shared<session>(std::move(socket))->run();
        accept(acceptor);
    });
}

int main() {
    boost::asio::io_context context;
    auto port = static_cast<unsigned short>(std::stoi(getenv("PORT")));
    tcp::acceptor acceptor(context, {boost::asio::ip::make_address("127.0.0.1"), port});
    accept(acceptor);
    std::cout << "listening 127.0.0.1:" << port << std::endl;
    context.run();
}
