# This is a formula for Homebrew. A release fills in the version and the checksum of the
# source.
class Finwait < Formula
  desc "Shows how a WebSocket server closes its connections"
  homepage "https://github.com/finwait/finwait"
  url "https://github.com/finwait/finwait/archive/refs/tags/v@VERSION@.tar.gz"
  sha256 "@SHA256@"
  license "Apache-2.0"

  depends_on "go" => :build

  def install
    system "go", "build", *std_go_args(ldflags: "-s -w -X main.version=#{version}"), "./cmd/finwait"
    generate_completions_from_executable(bin/"finwait", "completion")
    system bin/"finwait", "generate", "docs"
    man1.install Dir["docs/*.1"]
  end

  test do
    assert_match "2 passed", shell_output("#{bin}/finwait run --only sanity")
  end
end
