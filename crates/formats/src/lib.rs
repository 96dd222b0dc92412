//! Readers and writers of others' schedules: files become [`Explicit`] programs, and programs files.
//!
//! **Model.** A reader takes bytes and gives a program of sends, receives, computations and dependencies. A writer says what of a
//! program its format cannot hold. [`Format`] tells formats apart.
//!
//! **Invariants.** Bad input is an error that names rank, operation and line, and takes neither longer nor more memory than its bytes
//! account for. The crate knows nothing of fabrics, packets or Python; of the core it uses the plain data and its errors.
//!
//! **Limits.** What each format cannot say, or this simulator does not model, is refused by name; see the modules.

pub mod chakra;
mod claim;
pub mod goal;
pub mod htsim;
mod input;
pub mod msccl;
pub mod mscclpp;

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use supernode_core::control::Control;
use supernode_core::error::{Error, Result};
use supernode_core::workload::explicit::Explicit;

/// A format of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// GOAL as text.
    Goal,
    /// GOAL as LogGOPSim's simulator takes it.
    GoalBinary,
    /// A connection matrix of htsim.
    Htsim,
    /// An algorithm of MSCCL.
    Msccl,
    /// An execution plan of MSCCL++.
    Mscclpp,
    /// Chakra execution traces: a file per rank.
    Chakra,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 6] =
        [Format::Goal, Format::GoalBinary, Format::Htsim, Format::Msccl, Format::Mscclpp, Format::Chakra];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Format::Goal => "goal",
            Format::GoalBinary => "goal-binary",
            Format::Htsim => "htsim",
            Format::Msccl => "msccl",
            Format::Mscclpp => "mscclpp",
            Format::Chakra => "chakra",
        }
    }

    /// The extension of its files.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Goal => "goal",
            Format::GoalBinary => "bin",
            Format::Htsim => "cm",
            Format::Msccl => "xml",
            Format::Mscclpp => "json",
            Format::Chakra => "et",
        }
    }

    /// The format of this name.
    ///
    /// # Errors
    /// [`Error::Spec`] that lists the names.
    pub fn parse(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|format| format.name()).collect();
            Error::spec("format", format!("{name:?}"), format!("one of {}", names.join(", ")))
        })
    }

    /// The format of a file: by how it begins, and else by its extension.
    fn of(path: &Path, begin: &[u8]) -> Option<Self> {
        if begin.starts_with(&goal::MAGIC.to_le_bytes()) {
            return Some(Format::GoalBinary);
        }
        let text = String::from_utf8_lossy(begin);
        if text.contains("<algo") {
            return Some(Format::Msccl);
        }
        if text.trim_start().starts_with('{') && text.contains("\"collective\"") {
            return Some(Format::Mscclpp);
        }
        let mut words = text.split_whitespace();
        match words.find(|word| matches!(word.to_ascii_lowercase().as_str(), "num_ranks" | "nodes")) {
            Some("num_ranks") => Some(Format::Goal),
            Some(_) => Some(Format::Htsim),
            None => Self::by_extension(path),
        }
    }

    fn by_extension(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        Self::ALL.into_iter().find(|format| format.extension() == extension)
    }
}

/// Bytes by which a format is told.
const BEGIN: u64 = 1 << 16;

/// Reads a file; by default its content and extension tell the format. Gives the format, too. `size` is that of the message, of
/// formats that are for any.
///
/// # Errors
/// [`Error::Spec`] for a file that cannot be read, of no known format, or that is not valid; those of the readers.
pub fn read(path: &Path, format: Option<Format>, size: Option<u64>, control: &Control) -> Result<(Explicit, Format)> {
    let io = |error: std::io::Error| Error::spec("file", path.display(), format!("one that can be read ({error})"));
    let open = || File::open(path).map_err(io);
    let format = match format {
        Some(format) => format,
        None if chakra::is_trace(path) => Format::Chakra,
        None => {
            let mut begin = vec![];
            open()?.take(BEGIN).read_to_end(&mut begin).map_err(io)?;
            Format::of(path, &begin).ok_or_else(|| {
                let known: Vec<_> = Format::ALL.iter().map(|f| format!("{} (.{})", f.name(), f.extension())).collect();
                let expected = format!("a schedule: {}; or say its format", known.join(", "));
                Error::spec("file", path.display(), expected)
            })?
        }
    };
    if let (Some(size), false) = (size, matches!(format, Format::Msccl | Format::Mscclpp)) {
        return Err(Error::spec("size", size, format!("none: messages of {} have sizes", format.name())));
    }
    let program = match format {
        Format::Goal => goal::text::read(BufReader::new(open()?), control)?,
        Format::Htsim => htsim::read(BufReader::new(open()?), control)?,
        Format::Msccl => msccl::read(BufReader::new(open()?), size, control)?,
        Format::Mscclpp => mscclpp::read(BufReader::new(open()?), size, control)?,
        Format::Chakra => chakra::read(path, control)?,
        Format::GoalBinary => {
            let mut file = open()?;
            let bytes = file.metadata().map_err(io)?.len();
            control.need("the file", bytes, "split the schedule")?;
            let mut data = vec![];
            file.read_to_end(&mut data).map_err(io)?;
            goal::binary::read(&data, control)?
        }
    };
    Ok((program, format))
}

/// Writes a program to a file; by default the extension tells the format. Gives what the format cannot hold.
///
/// # Errors
/// [`Error::Spec`] for an extension of no format, for what the format must hold and cannot, or a file that cannot be written.
pub fn write(program: &Explicit, path: &Path, format: Option<Format>) -> Result<Vec<String>> {
    let format = format.or_else(|| Format::by_extension(path)).ok_or_else(|| {
        let known: Vec<_> = Format::ALL.iter().map(|f| format!(".{} ({})", f.extension(), f.name())).collect();
        Error::spec("output", path.display(), format!("an extension of a format: {}", known.join(", ")))
    })?;
    // what a format cannot hold is found out before the file is touched
    let mut made = vec![];
    let plan = match format {
        Format::Goal => goal::lost(program),
        Format::GoalBinary => goal::binary::fit(program)?,
        Format::Htsim => htsim::lost(program)?,
        Format::Msccl => {
            let (text, lost) = msccl::write::text(program)?;
            made = text;
            lost
        }
        Format::Mscclpp | Format::Chakra => {
            let expected = "a format that is written: goal, goal-binary, htsim, msccl";
            return Err(Error::spec("format", format.name(), expected));
        }
    };
    let io = |error: std::io::Error| Error::spec("output", path.display(), format!("a place to write to ({error})"));
    let mut out = BufWriter::new(File::create(path).map_err(io)?);
    match format {
        Format::Goal => goal::text::write(program, &mut out),
        Format::GoalBinary => goal::binary::write(program, &mut out),
        Format::Htsim => htsim::write(program, &mut out),
        Format::Msccl => out.write_all(&made),
        Format::Mscclpp | Format::Chakra => Ok(()), // refused above
    }
    .and_then(|()| out.flush())
    .map_err(io)?;
    Ok(plan)
}
