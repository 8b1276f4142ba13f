# `packaging/pack` sets the variables and puts the files of the gem in place.
Gem::Specification.new do |gem|
  gem.name = ENV.fetch("DYNO_GEM_NAME")
  gem.version = ENV.fetch("DYNO_GEM_VERSION")
  gem.summary = ENV.fetch("DYNO_GEM_SUMMARY")
  gem.description = "`dyno` as a drop-in for `foreman start`. The gem contains a static binary, which depends on nothing."
  gem.license = ENV.fetch("DYNO_GEM_LICENSE")
  gem.authors = ["The dynorun authors"]
  homepage = ENV.fetch("DYNO_GEM_HOMEPAGE")
  gem.homepage = homepage unless homepage.empty?
  # Plain `-linux` fits glibc and musl, because the binary is static.
  gem.platform = ENV.fetch("DYNO_GEM_PLATFORM")
  gem.required_ruby_version = ">= 2.7"
  gem.metadata = { "rubygems_mfa_required" => "true" }
  gem.files = Dir["exe/*", "libexec/*", "man/**/*", "README.md", "LICENSE"].select { |path| File.file?(path) }.sort
  gem.bindir = "exe"
  gem.executables = ["dyno"]
end
