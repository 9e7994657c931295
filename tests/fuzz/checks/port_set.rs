//! What must hold of any text that is to be a set of ports.

use port_for::PortSet;

pub(crate) fn check(text: &str) {
    match text.parse::<PortSet>() {
        Ok(ports) => {
            assert!(!ports.is_empty() && !ports.contains(0), "{text:?}");
            let printed = ports.to_string();
            assert_eq!(printed.parse().as_ref(), Ok(&ports), "{printed:?}");
            assert!(printed.len() <= text.len(), "{printed:?}");
        }
        Err(error) => {
            assert_eq!(error.text(), text);
            // Not inside of a character.
            assert!(text.get(error.span()).is_some(), "{error:?}");
            assert!(!error.to_string().contains('\n'), "{error:?}");
        }
    }
}
