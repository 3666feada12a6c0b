//! The embedded engine as a library.
