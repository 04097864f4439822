//! Whether this processor can run what the compiler was told to use.
//!
//! On x86-64 Millstream is compiled for the level x86-64-v3. Without this check an older processor would end the process
//! with an illegal instruction and no word.

/// The instruction sets of x86-64-v3 by their names in `/proc/cpuinfo`.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
const NEEDED: [&str; 7] = ["avx2", "bmi1", "bmi2", "fma", "f16c", "movbe", "abm"];

/// The message for the user if something is missing. A machine that does not tell is believed.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(crate) fn check() -> Result<(), String> {
    let Ok(text) = std::fs::read_to_string("/proc/cpuinfo") else { return Ok(()) };
    let Some(flags) = text.lines().find(|line| line.starts_with("flags")) else { return Ok(()) };
    let missing: Vec<&str> =
        NEEDED.iter().copied().filter(|needed| !flags.split_whitespace().any(|flag| flag == *needed)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "this build needs a processor of the level x86-64-v3 (2013 or later); this one lacks {}. Build with \
         RUSTFLAGS=\"-C target-cpu=x86-64\" to run here",
        missing.join(", ")
    ))
}

/// Other processors are compiled for as they come.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
pub(crate) fn check() -> Result<(), String> {
    Ok(())
}
