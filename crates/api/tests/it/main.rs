//! The tables of codes, held to the sources and to the pages.

mod pages;
mod sites;
mod sources;
