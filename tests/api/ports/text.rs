//! The text of a set of ports.

use port_for::PortSet;
use rstest::rstest;

use super::set;

#[rstest]
#[case("8000", "8000")]
#[case("2000-3000,4001,4003", "2000-3000,4001,4003")]
#[case("1-65535", "1-65535")]
#[case("7-7", "7")]
#[case("9,8,7", "7-9")]
#[case("10-20,15-30,31", "10-31")]
#[case("65535,1", "1,65535")]
#[case(" 4003 ,\t2000 - 3000\n", "2000-3000,4003")]
#[case("0080", "80")]
fn is_read_and_written_in_its_shortest_form(#[case] text: &str, #[case] written: &str) {
    let ports = set(text);
    assert_eq!(ports.to_string(), written);
    assert_eq!(set(written), ports);
}

#[rstest]
#[case("", "", r#"in "", column 1: a port is missing"#)]
#[case("  ", "", r#"in "  ", column 1: a port is missing"#)]
#[case(",,", "", r#"in ",,", column 1: a port is missing"#)]
#[case("8000,", "", r#"in "8000,", column 6: a port is missing"#)]
#[case("8000, ,9", "", r#"in "8000, ,9", column 6: a port is missing"#)]
#[case("a-b", "a", r#"in "a-b", column 1: "a" is not a number"#)]
#[case("8000,a-b", "a", r#"in "8000,a-b", column 6: "a" is not a number"#)]
#[case("8000,9-b", "b", r#"in "8000,9-b", column 8: "b" is not a number"#)]
#[case(
    "8000 8001",
    "8000 8001",
    r#"in "8000 8001", column 1: "8000 8001" is not a number"#
)]
#[case("+80", "+80", r#"in "+80", column 1: "+80" is not a number"#)]
#[case("é,x", "é", r#"in "é,x", column 1: "é" is not a number"#)]
#[case("1-2-3", "2-3", r#"in "1-2-3", column 3: "2-3" is not a number"#)]
#[case("0", "0", r#"in "0", column 1: "0" is not a port"#)]
#[case("0-10", "0", r#"in "0-10", column 1: "0" is not a port"#)]
#[case("70000", "70000", r#"in "70000", column 1: "70000" is too high"#)]
#[case("80-65536", "65536", r#"in "80-65536", column 4: "65536" is too high"#)]
#[case(
    "1-",
    "1-",
    r#"in "1-", column 1: the range "1-" lacks one of its ends"#
)]
#[case(
    "-1",
    "-1",
    r#"in "-1", column 1: the range "-1" lacks one of its ends"#
)]
#[case(
    "1,-",
    "-",
    r#"in "1,-", column 3: the range "-" lacks one of its ends"#
)]
#[case(
    "3000-2000",
    "3000-2000",
    r#"in "3000-2000", column 1: the range "3000-2000" runs backwards, write "2000-3000""#
)]
fn that_is_no_set_is_an_error_that_points_into_it(
    #[case] text: &str,
    #[case] part: &str,
    #[case] message: &str,
) {
    let error = text.parse::<PortSet>().unwrap_err();
    assert_eq!(error.text(), text);
    assert_eq!(&text[error.span()], part);

    let (problem, remedy) = error.to_string().split_once("; valid are ").map_or_else(
        || panic!("does not say what is valid: {error}"),
        |(problem, remedy)| (problem.to_owned(), remedy.to_owned()),
    );
    assert_eq!(problem, message);
    assert!(remedy.contains("65535"), "{remedy}");
}

#[test]
fn of_the_message_is_one_line_whatever_was_given() {
    let error = "80\n,\u{1b}[31mx".parse::<PortSet>().unwrap_err();
    assert!(!error.to_string().contains(char::is_control), "{error}");
}

#[test]
fn of_any_garbage_gives_an_error_or_a_set_that_reads_back() {
    let mut random = fastrand::Rng::with_seed(5);
    for _ in 0..20_000 {
        let len = random.usize(..12);
        let text: String = (0..len)
            .map(|_| {
                random
                    .choice(['0', '1', '2', '6', '9', '-', ',', ' ', 'é'])
                    .unwrap()
            })
            .collect();
        match text.parse::<PortSet>() {
            Ok(ports) => assert_eq!(set(&ports.to_string()), ports, "{text:?}"),
            Err(error) => assert!(text.get(error.span()).is_some(), "{text:?}: {error:?}"),
        }
    }
}

#[test]
fn of_an_empty_set_is_empty() {
    assert_eq!(PortSet::new().to_string(), "");
}

#[test]
fn for_debugging_shows_ranges() {
    assert_eq!(format!("{:?}", set("1-3,7")), "{1..=3, 7..=7}");
}
