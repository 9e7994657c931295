//! How to use the crate, page by page. The same pages are in the folder `docs`.
//!
#![doc = include_str!("../docs/how-it-works.svg")]

/// A page of the guide.
macro_rules! page {
    ($name:ident, $file:literal) => {
        #[doc = include_str!(concat!("../docs/", $file, ".md"))]
        pub mod $name {}
    };
}

page!(ids, "ids");
page!(frameworks, "frameworks");
page!(in_process, "in-process");
page!(child_processes, "child-processes");
page!(shared_servers, "shared-servers");
page!(several_ports, "several-ports");
page!(asynchronous, "async");
page!(checkouts_and_ci, "checkouts-and-ci");
page!(moving, "moving");
page!(any_language, "any-language");
page!(troubleshooting, "troubleshooting");
page!(how_it_works, "how-it-works");
page!(other_systems, "other-systems");
page!(speed, "speed");
