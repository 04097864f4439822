//! Compiles the messages between jobmaster and worker. The compiler is a library: nobody needs `protoc`.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new("proto");
    let file = folder.join("millstream.proto");
    println!("cargo:rerun-if-changed={}", file.display());
    let descriptors = protox::compile([&file], [folder])?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
